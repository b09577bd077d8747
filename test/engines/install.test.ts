import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { ROOT } from "../folders.js";
import { FDRUNC, MISSING } from "../system/harness.js";
import { Place } from "./place.js";
import { ASKED_OF_SYSTEMD, follow, install, readmeLines } from "./readme-lines.js";
import { succeeds } from "./suite.js";

/** An engine in the README: the file that tells of fdrunc, what may stand there before, and what it must have then. */
interface Installation {
  readonly engine: string;
  readonly file: string;
  readonly before: readonly string[];
  readonly has: RegExp;
  /** What systemd is asked for then. */
  readonly restart?: string;
}

const INSTALLATIONS: readonly Installation[] = [
  {
    engine: "docker",
    file: "/etc/docker/daemon.json",
    before: [
      "",
      '{\n  "log-level": "warn",\n  "runtimes": {\n    "crun": {\n      "path": "/usr/bin/crun"\n    }\n  }\n}\n',
      '{\n  "hosts": []\n}\n',
    ],
    has: /"fdrunc": \{\s*"path": "\/usr\/local\/bin\/fdrunc"\s*\}/,
    restart: "reload docker",
  },
  {
    engine: "podman",
    file: "/etc/containers/containers.conf.d/fdrunc.conf",
    before: [""],
    has: /^\[engine\.runtimes\]\nfdrunc = \["\/usr\/local\/bin\/fdrunc"\]\n$/,
  },
  {
    engine: "containerd",
    file: "/etc/containerd/config.toml",
    before: [
      "",
      'version = 2\n\n[plugins]\n  [plugins."io.containerd.grpc.v1.cri"]\n    enable_selinux = false\n',
      "version = 2\n",
    ],
    has: /^\[plugins\."io\.containerd\.grpc\.v1\.cri"\.containerd\.runtimes\.fdrunc\.options\]\n {2}BinaryName = "\/usr\/local\/bin\/fdrunc"$/m,
    restart: "restart containerd",
  },
  {
    engine: "containerd",
    file: "/etc/containerd/config.toml",
    before: ["version = 3\n[plugins.'io.containerd.cri.v1.images']\n  snapshotter = 'overlayfs'\n"],
    has: /^\[plugins\."io\.containerd\.cri\.v1\.runtime"\.containerd\.runtimes\.fdrunc\]\n {2}runtime_type = "io\.containerd\.runc\.v2"$/m,
    restart: "restart containerd",
  },
  {
    engine: "CRI-O",
    file: "/etc/crio/crio.conf.d/50-fdrunc.conf",
    before: [""],
    has: /^\[crio\.runtime\.runtimes\.fdrunc\]\nruntime_path = "\/usr\/local\/bin\/fdrunc"$/m,
    restart: "restart crio",
  },
];

let place: Place;
const skip = MISSING || (!existsSync(join(ROOT, "dist/fdrunc")) && "needs dist/fdrunc");
if (!skip) {
  before(async () => {
    place = await Place.open();
    install(place);
  });
  after(() => place.close());
}

for (const { engine, file, before: texts, has, restart } of INSTALLATIONS)
  for (const text of texts)
    test(`${engine} is told of fdrunc and forgets it, after ${JSON.stringify(text)}`, { skip }, () => {
      const lines = readmeLines(engine).filter((line) => line.includes("install:engines"));
      assert.equal(lines.length, 2);
      const [outside, asked] = [place.outside(file), place.outside(ASKED_OF_SYSTEMD)];
      mkdirSync(dirname(outside), { recursive: true });
      rmSync(outside, { force: true });
      if (text !== "") writeFileSync(outside, text);
      rmSync(asked, { force: true });
      // The second time it is there already.
      for (let times = 0; times < 2; times++) {
        succeeds(follow(place, lines[0]));
        const told = readFileSync(outside, "utf8");
        assert.match(told, has);
        assert.equal(told.match(/\/usr\/local\/bin\/fdrunc/g)?.length, 1);
      }
      assert.equal(existsSync(asked) ? readFileSync(asked, "utf8").split("\n")[0] : undefined, restart);
      assert.equal(registration(engine), `fdrunc is registered in ${file}`);
      succeeds(follow(place, lines[1]));
      assert.equal(existsSync(outside) ? readFileSync(outside, "utf8") : "", text);
      assert.notEqual(registration(engine), `fdrunc is registered in ${file}`);
    });

/** What `fdrunc check` says of fdrunc and an engine, behind the engine's version. */
function registration(engine: string): string {
  const { stdout } = place.run([...FDRUNC, "check", "--json"]);
  const { found } = JSON.parse(stdout).find(({ name }: { name: string }) => name === engine);
  return found.replace(/^.*?, /, "");
}

test("containerd keeps the runtime that it knows by itself", { skip }, () => {
  const file = place.outside("/etc/containerd/config.toml");
  const told = (text: string) => {
    writeFileSync(file, text);
    succeeds(follow(place, "npm run install:engines -- containerd"));
    return readFileSync(file, "utf8").match(/\.runtimes\.runc\]/g)?.length;
  };
  assert.equal(told("version = 2\n"), 1);
  assert.equal(told('version = 2\n[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]\n'), 1);
});

test("containerd's tables have SystemdCgroup where the others have it", { skip }, () => {
  const file = place.outside("/etc/containerd/config.toml");
  writeFileSync(file, "version = 2\n[x.options]\n  SystemdCgroup = true\n");
  succeeds(follow(place, "npm run install:engines -- containerd"));
  assert.match(readFileSync(file, "utf8"), /BinaryName = ".*"\n {2}SystemdCgroup = true\n# fdrunc: end\n$/);
});

test("what is no engine, and a configuration that cannot be read, are told in one line", { skip }, () => {
  const file = place.outside("/etc/docker/daemon.json");
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, "{");
  const { status, stderr } = follow(place, "npm run --silent install:engines -- lxc docker");
  assert.equal(status, 1);
  assert.match(stderr, /^lxc: not one of containerd, docker, podman, crio\ndocker: .*JSON.*\n$/);
  assert.equal(readFileSync(file, "utf8"), "{");
});

test("the RuntimeClass has the handler that containerd and CRI-O know", { skip }, () => {
  const [apply] = readmeLines("Kubernetes");
  const file = apply.split(" ").at(-1) as string;
  assert.match(readFileSync(join(ROOT, file), "utf8"), /^kind: RuntimeClass$[\s\S]*^handler: fdrunc$/m);
});
