import assert from "node:assert/strict";
import { before, test } from "node:test";
import { defaultConfig } from "../../src/config/defaults.js";
import type { Config } from "../../src/generated/config.js";
import { compile } from "../../src/init/compile.js";
import type { CgroupFacts } from "../../src/init/facts.js";
import { isKept } from "../../src/init/kept-parts.js";
import { prepareUsualContainers } from "../../src/init/usual-containers.js";
import { type ListedStep, records } from "../../src/machine/text.js";
import { FACTS } from "./steps.js";

const hierarchy = (directory: string) => ({
  directory,
  options: [directory],
  path: `/cgroup/${directory}/c`,
  own: true,
});
const V1: CgroupFacts = {
  version: 1,
  tasks: ["cpu", "memory"],
  into: false,
  hierarchies: [hierarchy("cpu"), hierarchy("memory")],
};
const V2: CgroupFacts = { version: 2, tasks: [], into: true, hierarchies: [hierarchy("")] };

const init = (config: Config, cgroup: CgroupFacts) => compile(config, { ...FACTS, cgroup }).init;
const listed = (config: Config, cgroup = V2): ListedStep[] => records([init(config, cgroup)]);

/** The default config with something else about it. */
function changed(change: (config: Config & { mounts: NonNullable<Config["mounts"]> }) => void): Config {
  const config = defaultConfig();
  change(config as Parameters<typeof change>[0]);
  return config;
}

const plainly = { v1: listed(defaultConfig(), V1), v2: listed(defaultConfig(), V2) };
before(prepareUsualContainers);

test("a container of parts that are ready is the same as one that is compiled", () => {
  assert.deepEqual(listed(defaultConfig(), V1), plainly.v1);
  assert.deepEqual(listed(defaultConfig(), V2), plainly.v2);
});

test("most of a usual container is ready", () => {
  for (const cgroup of [V1, V2]) {
    const { parts } = init(defaultConfig(), cgroup);
    const count = (some: typeof parts) => some.reduce((sum, { part }) => sum + part.count, 0);
    const ready = count(parts.filter(({ part }) => isKept(part)));
    assert.ok(ready > 0.75 * count(parts), `${ready} of ${count(parts)} steps`);
  }
});

test("what is ready is not taken for what is different", () => {
  const texts = (config: Config) => listed(config).map(({ text }) => text);
  const usual = texts(defaultConfig());
  const differences: Record<string, Config> = {
    option: changed(({ mounts }) => mounts[1].options?.push("nr_inodes=7")),
    "order of options": changed(({ mounts }) => mounts[1].options?.reverse()),
    destination: changed(({ mounts }) => Object.assign(mounts[1], { destination: "/devs" })),
    source: changed(({ mounts }) => Object.assign(mounts[1], { source: "other" })),
    "masked path": changed(({ linux }) => linux?.maskedPaths?.splice(0, 1, "/proc/other")),
    user: changed(({ process }) => Object.assign(process ?? {}, { user: { uid: 0, gid: 5 } })),
    capability: changed(({ process }) => process?.capabilities?.bounding?.pop()),
  };
  for (const [what, config] of Object.entries(differences)) assert.notDeepEqual(texts(config), usual, what);
  const moved = changed(({ mounts }) => mounts.unshift({ destination: "/x", type: "tmpfs", source: "x" }));
  const proc = listed(moved).filter(({ says }) => says === 'mount proc on "/proc"');
  assert.deepEqual(new Set(proc.map(({ from }) => from)), new Set(["mounts[1]"]));
});
