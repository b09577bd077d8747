import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chownSync } from "node:fs";
import type { TestContext } from "node:test";
import { C } from "../../src/linux/constants.js";
import { sys } from "../../src/linux/syscall.js";
import { asRoot, eventually, type FullConfig, type Scene } from "./harness.js";

/** A device as iproute2 tells of it. */
interface Told {
  readonly ifname: string;
  readonly flags: readonly string[];
  readonly mtu: number;
  readonly address: string;
  readonly addr_info: readonly { readonly local: string; readonly prefixlen: number; readonly scope: string }[];
}

function command(...words: string[]): string {
  const { status, stdout, stderr } = spawnSync(words[0], words.slice(1), { encoding: "utf8" });
  assert.equal(status, 0, `${words.join(" ")}: ${stderr}`);
  return stdout;
}

const ip = (words: string): string => command("ip", ...words.split(" "));

/** The devices of this process's network, or of another process's, by name. */
function devices(pid?: unknown): Record<string, Told> {
  const there = pid === undefined ? [] : ["nsenter", "--target", String(pid), "--net"];
  const told: Told[] = JSON.parse(command(...there, "ip", "-json", "address"));
  return Object.fromEntries(told.map((device) => [device.ifname, device]));
}

/** The addresses of a device that go beyond it. */
const globalAddresses = ({ addr_info }: Told): string[] =>
  addr_info.filter(({ scope }) => scope === "global").map(({ local, prefixlen }) => `${local}/${prefixlen}`);

/** A network of the test's own with pairs of devices: "a" and "a-peer" and so on. */
function network(t: TestContext, ...names: string[]): void {
  sys("unshare", C.CLONE_NEWNET);
  t.after(() => {
    for (const name of names) spawnSync("ip", ["link", "delete", "dev", `${name}-peer`]);
  });
  for (const name of names) ip(`link add name ${name} type veth peer name ${name}-peer`);
}

function sleeping(s: Scene, netDevices: NonNullable<FullConfig["linux"]["netDevices"]>, path?: string): void {
  s.write((config) => {
    config.process.args = ["sleep", "1000"];
    config.linux.netDevices = netDevices;
    if (path !== undefined)
      config.linux.namespaces = config.linux.namespaces.map(({ type }) =>
        type === "network" ? { type, path } : { type },
      );
  });
}

/** A network namespace beside this process's, by the process that holds it. */
function otherNetwork(s: Scene): number {
  const { child } = s.spawn(["unshare", "--net", "sleep", "1000"]);
  const own = command("readlink", "/proc/self/ns/net");
  eventually(() => assert.notEqual(command("readlink", `/proc/${child.pid}/ns/net`), own));
  return child.pid as number;
}

asRoot("devices are moved into the container, with the addresses that last", (s, t) => {
  network(t, "a", "b");
  ip("link set dev a mtu 1400");
  ip("address add 10.9.8.7/24 broadcast + dev a");
  ip("address add 10.9.8.8/24 dev a");
  ip("address add fd00:9::7/64 dev a nodad");
  // These are of the network that they leave.
  ip("address add 10.9.8.9/24 valid_lft 1000 preferred_lft 1000 dev a");
  ip("address add 169.254.9.9/16 scope link dev a");
  ip("link set dev a up");
  const before = devices();
  sleeping(s, { a: { name: "eth0" }, b: {} });
  s.create().succeeds();
  const { lo, eth0, b, ...more } = devices(s.stateOf().pid);
  assert.deepEqual(more, {});
  assert.ok(lo);
  assert.deepEqual(globalAddresses(eth0).toSorted(), ["10.9.8.7/24", "10.9.8.8/24", "fd00:9::7/64"]);
  assert.ok(eth0.flags.includes("UP") && b.flags.includes("UP"));
  assert.deepEqual([eth0.mtu, eth0.address], [1400, before.a.address]);
  assert.deepEqual(globalAddresses(b), []);
  assert.deepEqual(Object.keys(devices()).toSorted(), ["a-peer", "b-peer", "lo"]);
  // They go with the container's network.
  s.fdrunc(["delete", "--force", "c"]).succeeds();
  eventually(() => assert.deepEqual(Object.keys(devices()), ["lo"]));
});

asRoot("names with %d get the lowest numbers that are free", (s, t) => {
  network(t, "a", "b", "x", "y");
  const holder = otherNetwork(s);
  ip(`link set dev x netns ${holder} name eth0`);
  command(
    "nsenter",
    "--target",
    String(holder),
    "--net",
    "ip",
    "link",
    "property",
    "add",
    "dev",
    "eth0",
    "altname",
    "eth2",
  );
  sleeping(s, { a: { name: "eth%d" }, b: { name: "eth%d" }, y: { name: "%d" } }, `/proc/${holder}/ns/net`);
  s.create().succeeds();
  assert.deepEqual(Object.keys(devices(holder)).toSorted(), ["0", "eth0", "eth1", "eth3", "lo"]);
  // What a container has brought into a network that others are in stays there.
  s.fdrunc(["delete", "--force", "c"]).succeeds();
  assert.deepEqual(Object.keys(devices(holder)).toSorted(), ["0", "eth0", "eth1", "eth3", "lo"]);
});

asRoot("a device is moved into the network of a user namespace", (s, t) => {
  network(t, "a");
  ip("address add 10.9.8.7/24 dev a");
  chownSync(s.rootfs, 100_000, 100_000);
  const maps = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
  s.write((config) => {
    config.process.args = ["sleep", "1000"];
    config.linux.netDevices = { a: { name: "eth0" } };
    config.linux.namespaces.push({ type: "user" });
    Object.assign(config.linux, { uidMappings: maps, gidMappings: maps });
  });
  s.create().succeeds();
  assert.deepEqual(globalAddresses(devices(s.stateOf().pid).eth0), ["10.9.8.7/24"]);
});

asRoot("a name that is taken moves no device", (s, t) => {
  network(t, "a", "b", "x");
  const holder = otherNetwork(s);
  ip(`link set dev x netns ${holder} name eth0`);
  const before = devices();
  const refuses = (netDevices: NonNullable<FullConfig["linux"]["netDevices"]>, error: string) => {
    sleeping(s, netDevices, `/proc/${holder}/ns/net`);
    assert.equal(s.create().fails(), error);
    assert.deepEqual(s.leftovers(), []);
    assert.deepEqual(devices(), before);
  };
  const taken = (name: string) => `the container has a network device "${name}" already`;
  refuses({ b: { name: "eth1" }, a: { name: "eth0" } }, `linux.netDevices.a.name: ${taken("eth0")}`);
  refuses({ b: {}, a: { name: "lo" } }, `linux.netDevices.a.name: ${taken("lo")}`);
  refuses({ b: {}, c: {} }, "linux.netDevices.c: there is no such network device");
  refuses({ lo: { name: "lo1" } }, LOOPBACK);
});

const LOOPBACK =
  'linux.netDevices.lo: move the device into the container as "lo1": move "lo": invalid argument (EINVAL)';

asRoot("what was moved for a container that cannot be made comes back as it was", (s, t) => {
  network(t, "a", "b");
  ip("address add 10.9.8.7/24 dev a");
  ip("address add fd00:9::7/64 dev a nodad");
  ip("link set dev a up");
  ip("link set dev a-peer up");
  eventually(() => assert.ok(devices().a.flags.includes("LOWER_UP")));
  sleeping(s, { a: { name: "eth0" }, b: {} });
  const pivot = /^ +(\d+) {2}pivot_root/m.exec(s.fdrunc(["plan"]).succeeds())?.[1];
  s.create("c", "--fail-step", `${pivot}:EPERM`).fails();
  assert.deepEqual(s.leftovers(), []);
  const { a, b } = devices();
  assert.deepEqual(globalAddresses(a), ["10.9.8.7/24", "fd00:9::7/64"]);
  assert.ok(a.flags.includes("UP"));
  assert.ok(!b.flags.includes("UP"));
});
