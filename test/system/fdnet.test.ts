import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, openSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import type { NetworkWishes } from "../../src/net/connect.js";
import { eventually, TAG } from "./harness.js";
import { command, type Networks, networking, networkOf, OUTSIDE, OUTSIDE6 } from "./networks.js";

/** The plugins that still run in a host's namespace. */
function running({ host }: Networks): string {
  const there = networkOf(host);
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name) && networkOf(Number(name)) === there);
  return pids.filter((pid) => Number(pid) !== host).join(" ");
}

networking("a published port leads to the container, which reaches what is outside as the host", (net) => {
  net.bundle({ publish: ["8080:80"] }, "nc -ll -p 80 -e echo from the container");
  net.start("web");
  eventually(() => assert.equal(net.ask(net.outside, OUTSIDE.host, 8080), "from the container\n"));
  // The host's own way there, and the container's to itself.
  assert.equal(net.ask(net.host, "10.83.0.1", 8080), "from the container\n");
  net.serve(net.within(net.outside), "tcp", 9000);
  eventually(() => {
    const told = net.inside("web", `nc -w 5 ${OUTSIDE.outside} 9000 </dev/null || true`);
    assert.equal(told, `hello ::ffff:${OUTSIDE.host}`);
  });
  net.delete("web");
  net.assertNothingLeft();
});

for (const tables of ["nft", "legacy"] as const)
  networking(
    `a port is published by iptables with its ${tables} tables`,
    (net) => {
      net.bundle({ publish: ["8080:80"] }, "nc -ll -p 80 -e echo from the container");
      net.start("c");
      assert.match(net.networkOfHost(), /--to-destination 10\.83\.0\.2:80/);
      eventually(() => assert.equal(net.ask(net.outside, OUTSIDE.host, 8080), "from the container\n"));
      net.delete("c");
      net.assertNothingLeft();
    },
    tables,
  );

networking("a host that forwards nothing by itself forwards what containers send and what ports are for", (net) => {
  const [program, ...args] = [...net.within(net.host), "iptables", "-P", "FORWARD", "DROP"];
  command(program, ...args);
  net.bundle({ publish: ["8080:80"] }, "nc -ll -p 80 -e echo from the container");
  net.start("c");
  eventually(() => assert.equal(net.ask(net.outside, OUTSIDE.host, 8080), "from the container\n"));
  net.serve(net.within(net.outside), "tcp", 9000);
  const ask = `nc -w 5 ${OUTSIDE.outside} 9000 </dev/null || true`;
  eventually(() => assert.equal(net.inside("c", ask), `hello ::ffff:${OUTSIDE.host}`));
  // The container's own address is not for those outside.
  command(...net.within(net.outside), "ip", "route", "add", "10.83.0.0/16", "via", OUTSIDE.host);
  assert.equal(net.ask(net.outside, "10.83.0.2", 80), "");
  net.delete("c");
});

networking("containers that start at once get an address each, and leave nothing", async (net) => {
  net.bundle({ publish: ["80"] }, "sleep 1000", (config) => {
    delete config.linux.cgroupsPath;
  });
  const ids = ["a", "b", "c", "d", "e"].map((name) => `${TAG}-${name}`);
  const all = async (command: string, ...flags: string[]) => {
    const started = ids.map((id) => net.s.start([command, ...flags, id], { under: net.within(net.host) }));
    for (const { ended } of started) (await ended).succeeds();
  };
  await all("create");
  const told: { addresses: string[]; ports: string[] }[] = JSON.parse(net.told("ls", "--format", "json"));
  for (const has of [told.flatMap(({ addresses }) => addresses), told.flatMap(({ ports }) => ports)])
    assert.equal(new Set(has).size, ids.length);
  await all("delete", "--force");
  net.assertNothingLeft();
});

networking("ports of udp, sctp and ranges are published, at one of the host's addresses", (net) => {
  net.bundle({ publish: [`${OUTSIDE.host}:5000-5001:53-54/udp`, "5000:53", "7:77/sctp"] });
  net.start("c");
  net.serve(net.withinContainer("c"), "udp", 53);
  net.serve(net.withinContainer("c"), "udp", 54);
  net.serve(net.withinContainer("c"), "tcp", 53);
  const from = `hello ::ffff:${OUTSIDE.outside}`;
  eventually(() => assert.equal(net.ask(net.outside, OUTSIDE.host, 5000, "udp"), `${from}\n`));
  eventually(() => assert.equal(net.ask(net.outside, OUTSIDE.host, 5001, "udp"), `${from}\n`));
  eventually(() => assert.equal(net.ask(net.outside, OUTSIDE.host, 5000), from));
  const sctp = [process.execPath, fileURLToPath(new URL("sctp.js", import.meta.url))];
  net.s.spawn([...net.within(net.outside), ...sctp, "send", OUTSIDE.host, "7"]);
  assert.equal(command("timeout", "30", ...net.withinContainer("c"), ...sctp, "receive", "77"), `${OUTSIDE.outside}\n`);
  net.delete("c");
  net.assertNothingLeft();
});

networking("a port of the host's that nobody has is given, shown, and leads to the container", (net) => {
  net.serve(net.within(net.host), "tcp", 49152);
  eventually(() => assert.match(net.ask(net.host, "127.0.0.1", 49152), /^hello/));
  net.bundle({ publish: ["80", `${OUTSIDE.host}::81`] });
  net.start("one");
  const ports = ["49153:80/tcp", `${OUTSIDE.host}:49154:81/tcp`];
  assert.deepEqual(JSON.parse(net.told("ls", "--format", "json"))[0].ports, ports);
  assert.match(net.told("ls"), /^one .* bridge .*10\.83\.0\.2 +49153:80\/tcp,192\.0\.2\.1:49154:81\/tcp$/m);
  assert.match(net.told("inspect", "--check", "one"), /"hostPort": 49153/);
  for (const port of [80, 81]) net.serve(net.withinContainer("one"), "tcp", port);
  for (const port of [49153, 49154])
    eventually(() => assert.equal(net.ask(net.outside, OUTSIDE.host, port), `hello ::ffff:${OUTSIDE.outside}`));
  // Whoever comes next gets others, and none that somebody has.
  net.start("two");
  assert.equal(JSON.parse(net.told("ls", "--format", "json"))[1].ports[0], "49155:80/tcp");
  for (const [publish, owner] of [
    ["49153:80", /--publish: "49153:80\/tcp": the port is container "one"'s$/],
    ["49152:80", /--publish: "49152:80\/tcp": a program on the host has the port$/],
  ] as const) {
    net.bundle({ publish: [publish] });
    assert.match(net.fdrunc("create", "three").fails(), owner);
  }
  net.delete("one", "two");
  net.assertNothingLeft();
});

networking("inspect --check tells of a rule that is gone", (net) => {
  net.bundle({ publish: ["80:80"] });
  net.start("c");
  net.told("inspect", "--check", "c");
  const nat = (...args: string[]) => command(...net.within(net.host), "iptables", "-t", "nat", ...args);
  const [, chain = ""] = /^-A (CNI-DN-\w+) .*-j DNAT/m.exec(nat("-S")) ?? [];
  nat("-F", chain);
  const { status, stderr } = net.fdnet(["inspect", "--check", "c"]);
  const message = 'fdnet: network "bridge": no rule leads port 80:80/tcp to the container\n';
  assert.deepEqual([status, stderr], [1, message]);
  net.delete("c");
  net.assertNothingLeft();
});

networking("two containers of a network reach each other; the last one takes the bridge along", (net) => {
  net.bundle({});
  net.start("one");
  net.start("two");
  assert.deepEqual(
    JSON.parse(net.told("ls", "--format", "json")).map(({ id, networks, addresses }: Record<string, unknown>) => ({
      id,
      networks,
      addresses,
    })),
    [
      { id: "one", networks: ["bridge"], addresses: ["10.83.0.2"] },
      { id: "two", networks: ["bridge"], addresses: ["10.83.0.3"] },
    ],
  );
  net.serve(net.withinContainer("two"), "tcp", 80);
  eventually(() =>
    assert.equal(net.inside("one", "nc -w 5 10.83.0.3 80 </dev/null || true"), "hello ::ffff:10.83.0.2"),
  );
  assert.match(net.told("inspect", "--check", "one"), /"address": "10\.83\.0\.2\/16"/);
  net.delete("two");
  assert.match(net.networkOfHost(), /fdrunc0/);
  assert.equal(net.told("ls", "--quiet"), "one\n");
  net.delete("one");
  net.assertNothingLeft();
});

networking("an address, a MAC address and subnets of both families are had as asked", (net) => {
  const ip = ["10.0.0.23", "fd00:1::23"];
  const wishes = {
    ip,
    mac: "02:00:00:00:00:23",
    subnet: ["10.0.0.0/24", "fd00:1::/64"],
    publish: ["80:80", `[${OUTSIDE6.host}]:5000-5001:53-54/udp`],
  };
  net.bundle({ net: ["web"], hostname: "nginx", dns: ["10.0.0.1"], ...wishes });
  net.start("c");
  const [{ address, addr_info }] = JSON.parse(
    command(...net.withinContainer("c"), "ip", "-json", "address", "show", "eth0"),
  );
  assert.equal(address, "02:00:00:00:00:23");
  const local = addr_info.filter(({ scope }: { scope: string }) => scope === "global");
  assert.deepEqual(
    local.map(({ local, prefixlen }: { local: string; prefixlen: number }) => `${local}/${prefixlen}`),
    ["10.0.0.23/24", "fd00:1::23/64"],
  );
  net.serve(net.withinContainer("c"), "tcp", 80);
  eventually(() => assert.equal(net.ask(net.outside, OUTSIDE6.host, 80), `hello ${OUTSIDE6.outside}`));
  for (const port of [53, 54]) {
    net.serve(net.withinContainer("c"), "udp", port);
    const asked = () => net.ask(net.outside, OUTSIDE6.host, 5000 + port - 53, "udp");
    eventually(() => assert.equal(asked(), `hello ${OUTSIDE6.outside}\n`));
  }
  // Another address of the host's is not for the range.
  assert.equal(net.ask(net.outside, OUTSIDE.host, 5000, "udp"), "");
  net.serve(net.within(net.outside), "tcp", 9000);
  const ask = `nc -w 5 ${OUTSIDE6.outside} 9000 </dev/null || true`;
  eventually(() => assert.equal(net.inside("c", ask), `hello ${OUTSIDE6.host}`));
  net.delete("c");
  net.assertNothingLeft();
});

networking("the container's files tell its name and name servers, also below a read-only root", (net) => {
  net.s.replaceFile("/etc/resolv.conf", "nameserver 127.0.0.1\nnameserver 10.9.8.7\nsearch example.org\n");
  net.bundle({ net: ["bridge"], hostname: "box" }, "sleep 1000", (config) => {
    config.root.readonly = true;
  });
  net.start("c");
  assert.equal(
    net.inside("c", "cat /etc/hosts /etc/hostname /etc/resolv.conf"),
    "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n10.83.0.2\tbox\nbox\n" +
      "search example.org\nnameserver 10.9.8.7\n",
  );
  // Another container in its network knows the same, under its own name.
  net.bundle({ net: ["container:c"], hostname: "other" });
  net.start("d");
  assert.equal(net.inside("d", "cat /etc/hostname; grep box /etc/hosts"), "other\n10.83.0.2\tbox\n");
  assert.equal(
    command(...net.withinContainer("d"), "readlink", "/proc/self/ns/net"),
    command(...net.withinContainer("c"), "readlink", "/proc/self/ns/net"),
  );
  net.delete("d", "c");
  net.bundle({ net: ["host"], hostname: "host" });
  net.start("c");
  assert.equal(net.inside("c", "cat /etc/hostname; tail -n 1 /etc/resolv.conf"), "host\nsearch example.org\n");
  net.delete("c");
  net.assertNothingLeft();
});

networking("a container is in several networks, some of them described by files", (net) => {
  const plugins = [
    {
      type: "bridge",
      bridge: "back0",
      ipam: { type: "host-local", subnet: "10.5.0.0/24", dataDir: net.s.path("data") },
    },
  ];
  writeFileSync(join(net.configs, "back.conflist"), JSON.stringify({ cniVersion: "0.4.0", name: "back", plugins }));
  net.bundle({ net: ["bridge", "back"] });
  net.start("c");
  const devices = command(...net.withinContainer("c"), "ip", "-brief", "-4", "address").replace(/@if\d+/g, "");
  assert.deepEqual(
    devices
      .trim()
      .split("\n")
      .map((line) => line.trim().split(/\s+/)),
    [
      ["lo", "UNKNOWN", "127.0.0.1/8"],
      ["eth0", "UP", "10.83.0.2/16"],
      ["eth1", "UP", "10.5.0.2/24"],
    ],
  );
  net.delete("c");
  // What a file describes is whoever's wrote it.
  command(...net.within(net.host), "ip", "link", "delete", "back0");
  net.assertNothingLeft();
});

networking("a network is left even where the chain of its masquerading is gone", (net) => {
  net.bundle({ net: ["bridge"] });
  net.start("c");
  const nat = (...args: string[]) => command(...net.within(net.host), "iptables", "-t", "nat", ...args);
  const [, chain = ""] = /^-A POSTROUTING -s 10\.83\.0\.2.* -j (CNI-\w+)$/m.exec(nat("-S")) ?? [];
  const rules = nat("-L", "POSTROUTING", "-n", "--line-numbers").split("\n");
  nat("-D", "POSTROUTING", rules.find((line) => line.includes(chain))?.split(" ")[0] ?? "");
  nat("-F", chain);
  nat("-X", chain);
  net.delete("c");
  net.assertNothingLeft();
});

networking("rules that plugins have made twice, at work at once, go with the last port", (net) => {
  net.bundle({ publish: ["80:80"] });
  net.start("c");
  const nat = (...args: string[]) => command(...net.within(net.host), "iptables", "-t", "nat", ...args);
  for (const chain of ["PREROUTING", "OUTPUT"])
    nat("-A", chain, "-m", "addrtype", "--dst-type", "LOCAL", "-j", "CNI-HOSTPORT-DNAT");
  net.delete("c");
  net.assertNothingLeft();
});

networking("a port is published while another network's last one goes", async (net) => {
  net.bundle({ net: ["web"], subnet: ["10.84.0.0/24"], publish: ["80:80"] });
  net.start("last");
  // One is about to make the rules that all ports share, when the other has looked whether somebody needs them.
  const [begun, looked] = [net.s.path("begun"), net.s.path("looked")];
  const before = `*"-I FORWARD -i"*) touch ${begun}; until [ -e ${looked} ]; do sleep 0.1; done`;
  const after = `*"-t nat -S") touch ${looked}; sleep 2`;
  net.replaceProgram("iptables", `case "$*" in ${before};; esac; "$0" "$@" || exit; case "$*" in ${after};; esac`);
  net.bundle({ publish: ["81:80"] });
  const create = net.s.start(["create", "c"], { under: net.within(net.host) });
  eventually(() => assert.ok(existsSync(begun)));
  net.delete("last");
  (await create.ended).succeeds();
  net.told("inspect", "--check", "c");
  assert.match(net.networkOfHost(), /^-A PREROUTING .*-j CNI-HOSTPORT-DNAT$/m);
  net.delete("c");
  net.assertNothingLeft();
});

networking("a container gets its network also where an earlier one's of its name is only left then", async (net) => {
  net.bundle({ publish: ["80:80"] });
  delete net.s.config.hooks;
  const up = () =>
    net.s.spawn([...net.within(net.host), ...net.upCommand], { stdio: [openState(), "ignore", "inherit"] }).ended;
  const openState = () => {
    writeFileSync(net.s.path("state.json"), JSON.stringify(net.s.stateOf("c")));
    return openSync(net.s.path("state.json"), "r");
  };
  net.start("c");
  assert.equal(await up(), 0);
  net.fdrunc("delete", "--force", "c").succeeds();
  net.start("c");
  // Whoever looks for what is left passes over what another command is at.
  const { child, ended } = net.s.spawn(["flock", join(net.root, "containers/c"), "sh", "-c", "echo; sleep 1"], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  await once(child.stdout as Readable, "data");
  assert.equal(await up(), 0);
  assert.equal(await ended, 0);
  assert.equal(net.told("ls", "--quiet"), "c\n");
  net.delete("c");
  net.told("down", "c");
  net.assertNothingLeft();
});

networking("a network that cannot be had leaves nothing", (net) => {
  const refuses = (wishes: Partial<NetworkWishes>, message: RegExp) => {
    net.bundle(wishes);
    assert.match(net.fdrunc("create", "c").fails(), message);
    net.assertNothingLeft();
  };
  refuses(
    { net: ["web"] },
    /exit status 1: fdnet: network "web": no file in ".*" describes it \(--subnet makes one\)$/,
  );
  refuses({ ip: ["10.9.0.1"] }, /fdnet: network "bridge": plugin "bridge": ADD: .*10\.9\.0\.1/);
  refuses({ net: ["container:x"] }, /x\/netns/);
  writeFileSync(join(net.configs, "p.conf"), JSON.stringify({ cniVersion: "1.0.0", name: "p", type: "ptp" }));
  refuses({ net: ["p"], publish: ["80:80"] }, /network "p": none of its plugins has the capability "portMappings"$/);
  refuses({ net: ["p"], subnet: ["10.1.0.0/24"] }, /network "p": ".*" describes it: it has its own subnets$/);
  refuses({ net: ["web"], subnet: ["192.0.2.0/25"] }, /: 192\.0\.2\.0\/25 overlaps an address of "up0"$/);
  // A file that is no JSON is in the way of nobody but who may want what it describes.
  writeFileSync(join(net.configs, "broken.conf"), "{");
  refuses({ net: ["web"] }, /network "web": ".*\/broken\.conf": .+ \(--subnet makes one\)$/);
  net.bundle({});
  net.start("good");
  net.bundle({ net: ["web"], subnet: ["10.83.4.0/24"] });
  const overlap = /network "web-10\.83\.4\.0_24": 10\.83\.4\.0\/24 overlaps 10\.83\.0\.0\/16 of network "bridge"$/;
  assert.match(net.fdrunc("create", "c").fails(), overlap);
  net.delete("good");
  net.assertNothingLeft();
  // The second of two networks fails: the first is given back.
  const ipam = { type: "host-local", subnet: "10.5.0.0/24", dataDir: net.s.path("data") };
  const long = { cniVersion: "1.0.0", name: "long", type: "bridge", bridge: "a-name-that-is-too-long", ipam };
  writeFileSync(join(net.configs, "long.conf"), JSON.stringify(long));
  refuses({ net: ["bridge", "long"] }, /network "long": plugin "bridge": ADD: /);
});

networking("what a plugin does not take back stands in nobody's way, and can be forgotten", (net) => {
  // It has no addresses to give, and says so each time.
  writeFileSync(join(net.configs, "p.conf"), JSON.stringify({ cniVersion: "1.0.0", name: "p", type: "ptp" }));
  net.bundle({ net: ["p"] });
  const { stderr } = net.fdrunc("create", "bad");
  assert.match(stderr, /network "p": plugin "ptp": DEL: .*\n.*network "p": plugin "ptp": ADD: /);
  net.bundle({});
  net.start("good");
  const { status, stderr: told } = net.fdnet(["gc"]);
  assert.equal(status, 1);
  assert.match(told, /^fdnet: container "bad": network "p": .* \(`fdnet down --force bad` forgets it\)\n$/);
  net.told("down", "--force", "bad");
  assert.equal(net.told("ls", "--quiet"), "good\n");
  net.delete("good");
  net.assertNothingLeft();
});

networking("what a killed container leaves goes with the next one's start, or gc", (net) => {
  net.bundle({ publish: ["80:80"] });
  const kill = (id: string) => {
    net.start(id);
    const { pid } = net.s.stateOf(id);
    process.kill(Number(pid), "SIGKILL");
    net.s.waitFor("stopped", id);
  };
  kill("one");
  assert.match(net.networkOfHost(), /10\.83\.0\.2:80/);
  assert.deepEqual(JSON.parse(net.told("ls", "--format", "json"))[0].pid, 0);
  assert.equal(net.told("gc"), "one\n");
  net.assertNothingLeft();
  kill("two");
  net.start("three");
  assert.equal(net.told("ls", "--quiet"), "three\n");
  net.delete("one", "two", "three");
  net.assertNothingLeft();
});

networking("fdnet can be killed at any moment", (net) => {
  net.bundle({ publish: ["80:80"] });
  delete net.s.config.hooks;
  net.start("c");
  const state = JSON.stringify(net.s.stateOf("c"));
  for (let milliseconds = 5; ; milliseconds = Math.ceil(milliseconds * 1.5)) {
    const input = net.s.path("state.json");
    writeFileSync(input, state);
    const killed = spawnSync(
      "timeout",
      ["-s", "KILL", String(milliseconds / 1000), ...net.within(net.host), ...net.upCommand, "--publish=80:80"],
      { input: state, encoding: "utf8" },
    );
    // The plugin that ran then goes on by itself for a while.
    eventually(() => assert.equal(running(net), ""));
    net.told("down", "c");
    net.assertNothingLeft();
    if (killed.status === 0) break;
    assert.ok(milliseconds < 30_000, killed.stderr);
  }
});
