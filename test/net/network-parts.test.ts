import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { NetworkWishes } from "../../src/net/connect.js";
import { networkParts, prepareFiles } from "../../src/net/network-parts.js";

const NOTHING: NetworkWishes = { ip: [], subnet: [], publish: [], dns: [], addHost: [] };
const FILES = ["resolv.conf", "hosts", "hostname"].map((name) => ({
  destination: `/etc/${name}`,
  type: "bind",
  source: `net/${name}`,
  options: ["bind", "rw"],
}));
const up = (...flags: string[]) => ({ path: "/usr/bin/fdnet", args: ["fdnet", "up", ...flags] });
const parts = (wishes: Partial<NetworkWishes>) => networkParts("/usr/bin/fdnet", { ...NOTHING, ...wishes });

test("a network's hooks ask for what was wished", () => {
  const wishes = { net: ["web"], ip: ["10.0.0.23"], mac: "02:00:00:00:00:01", subnet: ["10.0.0.0/24"] };
  const flags = ["--net=web", "--ip=10.0.0.23", "--mac=02:00:00:00:00:01", "--subnet=10.0.0.0/24"];
  const more = { publish: ["80:80", "81:81/udp"], dns: ["10.0.0.1"], addHost: ["db:10.0.0.9"], hostname: "box" };
  assert.deepEqual(parts({ ...wishes, ...more }), {
    namespace: { type: "network" },
    hooks: {
      createRuntime: [
        up(
          ...flags,
          "--publish=80:80",
          "--publish=81:81/udp",
          "--dns=10.0.0.1",
          "--add-host=db:10.0.0.9",
          "--hostname=box",
        ),
      ],
      poststop: [{ path: "/usr/bin/fdnet", args: ["fdnet", "down"] }],
    },
    mounts: FILES,
  });
});

test("another network than one of its own needs no release, none needs no hook at all", () => {
  assert.deepEqual(parts({ net: ["none"] }), { namespace: { type: "network" }, hooks: {}, mounts: [] });
  assert.deepEqual(parts({ net: ["host"] }), { hooks: { createRuntime: [up("--net=host")] }, mounts: FILES });
  assert.deepEqual(parts({ net: ["container:web"] }), {
    namespace: { type: "network", path: "/run/fdnet/containers/web/netns" },
    hooks: { createRuntime: [up("--net=container:web")] },
    mounts: FILES,
  });
});

test("what cannot be had is refused at once", () => {
  const cases: [wishes: Partial<NetworkWishes>, message: RegExp][] = [
    [{ net: ["host"], publish: ["80:80"] }, /^--net: "host": --publish=80:80 cannot be had there$/],
    [{ net: ["none"], ip: ["10.0.0.1"] }, /^--net: "none": --ip=10\.0\.0\.1 cannot be had there$/],
    [{ ip: ["10.0.0"] }, /^--ip: "10\.0\.0": not an address$/],
    [{ dns: ["one"] }, /^--dns: "one": not an address$/],
    [{ mac: "02" }, /^--mac: "02": not of the form 02:00:00:00:00:01$/],
    [{ subnet: ["10.0.0.1/24"] }, /^--subnet: "10\.0\.0\.1\/24": there are bits set behind the first 24$/],
    [{ hostname: "a b" }, /^--hostname: "a b": /],
    [{ addHost: ["db=10.0.0.1"] }, /^--add-host: "db=10\.0\.0\.1": not of the form NAME:ADDRESS$/],
  ];
  for (const [wishes, message] of cases) assert.throws(() => parts(wishes), { name: "Failure", message });
});

test("the files that the mounts name are made", (t) => {
  const bundle = mkdtempSync(join(tmpdir(), "fdnet-"));
  t.after(() => rmSync(bundle, { recursive: true }));
  prepareFiles(bundle);
  assert.deepEqual(readdirSync(join(bundle, "net")).sort(), ["hostname", "hosts", "resolv.conf"]);
});
