import assert from "node:assert/strict";
import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { Hook } from "../../src/generated/config.js";
import type { NetworkWishes } from "../../src/net/connect.js";
import { networkParts, prepareFiles } from "../../src/net/network-parts.js";
import { FDBUNDLE } from "../bundle/place.js";
import { ROOT } from "../folders.js";
import {
  asRoot,
  cgroupsPath,
  entries,
  eventually,
  FDRUNC,
  FLAGS,
  FORM,
  type FullConfig,
  mountInfo,
  type Scene,
} from "./harness.js";

/** The path of fdnet, in the form that is tested. */
const FDNET = join(ROOT, FORM === "node" ? "dist/node/bin/fdnet.js" : "dist/fdnet");

const MISSING = ["bridge", "host-local", "portmap", "loopback"].some((name) => !existsSync(`/usr/lib/cni/${name}`))
  ? "needs Debian's containernetworking-plugins"
  : spawnSync("iptables", ["-V"]).status !== 0
    ? "needs iptables"
    : undefined;

/** A test of networks, where there is what it takes. */
export function networking(
  name: string,
  run: (net: Networks, t: TestContext) => void | Promise<void>,
  tables: "default" | "nft" | "legacy" = "default",
): void {
  asRoot(name, async (s, t) => {
    const missing = MISSING ?? (hasTables(tables) ? undefined : `needs iptables with its ${tables} tables`);
    if (missing !== undefined) return t.skip(missing);
    const net = new Networks(s, tables);
    try {
      await run(net, t);
    } finally {
      net.removeBundles();
    }
  });
}

/** Whether iptables works with these tables, in a namespace of its own. */
const hasTables = (tables: string): boolean =>
  tables === "default" || spawnSync("unshare", ["--net", `iptables-${tables}`, "-t", "nat", "-S"]).status === 0;

/** The addresses of the two ends of the way out. */
export const OUTSIDE = { host: "192.0.2.1", outside: "192.0.2.2" };
export const OUTSIDE6 = { host: "2001:db8::1", outside: "2001:db8::2" };

/**
 * Two network namespaces: a host's, in which fdrunc and fdnet run, and one of what is outside of it; a pair of devices
 * between them is all the way there is.
 */
export class Networks {
  readonly host: number;
  readonly outside: number;
  readonly root: string;
  readonly configs: string;
  /** Where programs are, for the hooks. */
  private readonly programs: string;
  private readonly before: string;

  constructor(
    readonly s: Scene,
    private readonly tables: string,
  ) {
    this.programs = s.path("programs");
    mkdirSync(this.programs);
    if (tables !== "default")
      for (const name of ["iptables", "ip6tables"]) {
        const [, file] = /^(.*)\n/.exec(command("which", `${name}-${tables}`)) ?? [];
        symlinkSync(file as string, join(this.programs, name));
      }
    this.root = s.path("fdnet");
    this.configs = s.path("networks");
    mkdirSync(this.configs);
    [this.host, this.outside] = [namespace(s), namespace(s)];
    for (const holder of [this.host, this.outside]) this.ip(holder, "link set lo up");
    this.ip(this.host, `link add up0 type veth peer name eth0 netns ${this.outside}`);
    for (const [holder, device, addresses] of [
      [this.host, "up0", [OUTSIDE.host, OUTSIDE6.host]],
      [this.outside, "eth0", [OUTSIDE.outside, OUTSIDE6.outside]],
    ] as const) {
      this.ip(holder, `address add ${addresses[0]}/24 dev ${device}`);
      this.ip(holder, `address add ${addresses[1]}/64 dev ${device} nodad`);
      this.ip(holder, `link set ${device} up`);
    }
    eventually(() => assert.match(command(...this.within(this.host), "ip", "link", "show", "up0"), / state UP /));
    this.before = this.networkOfHost();
  }

  /** Has hooks, and what they call, call a shell's script in the place of a program, which is "$0" there. */
  replaceProgram(name: string, script: string): void {
    const [, program] = /^(.*)\n/.exec(command("which", name)) ?? [];
    writeFileSync(join(this.programs, name), `#!/bin/sh\nexec sh -c '${script}' ${program} "$@"\n`, { mode: 0o755 });
  }

  /** The command line that runs another one in a namespace. */
  within = (holder: number): string[] => ["nsenter", `--net=/proc/${holder}/ns/net`];

  private ip(holder: number, words: string): void {
    command(...this.within(holder), "ip", ...words.split(" "));
  }

  fdrunc(...args: string[]) {
    return this.s.fdrunc(args, { under: this.within(this.host) });
  }

  fdnet(args: readonly string[], input = ""): SpawnSyncReturns<string> {
    const [program, ...first] = [...this.within(this.host), ...this.fdnetCommand, ...args];
    return spawnSync(program, first, { encoding: "utf8", input, timeout: 60_000 });
  }

  private get fdnetCommand(): string[] {
    return [FDNET, "--root", this.root, "--networks", this.configs];
  }

  /** The command line of `fdnet up`. */
  get upCommand(): string[] {
    return [...this.fdnetCommand, "up"];
  }

  /** Runs fdnet, which must succeed. Returns what it prints. */
  told(...args: string[]): string {
    const { status, stdout, stderr } = this.fdnet(args);
    assert.deepEqual({ status, stderr }, { status: 0, stderr: "" });
    return stdout;
  }

  /**
   * Runs a shell's command on the host, with what it names: fdbundle, fdrunc, fdnet, each with the test's own places.
   * Returns what it prints; it must succeed.
   */
  onHost(script: string, input = ""): string {
    const { s } = this;
    const programs = {
      fdbundle: [...FDBUNDLE, "--root", s.path("store")],
      fdrunc: [...FDRUNC, ...FLAGS, "--root", s.state],
      fdnet: this.fdnetCommand,
    };
    for (const [name, words] of Object.entries(programs)) {
      const path = join(this.programs, name);
      if (existsSync(path)) continue;
      const line = words.map((word) => `'${word}'`).join(" ");
      // Hooks have no environment.
      writeFileSync(path, `#!/bin/sh\nPATH='${this.programs}:${process.env.PATH}' exec ${line} "$@"\n`, {
        mode: 0o755,
      });
    }
    const [program, ...args] = [...this.within(this.host), "sh", "-ec", script];
    const env = { ...process.env, PATH: `${this.programs}:${process.env.PATH}` };
    // A container that goes on has the streams still.
    const streams = ["out", "err"].map((name) => openSync(s.path(`onHost.${name}`), "w+"));
    try {
      const stdio = ["pipe" as const, ...streams];
      const { status } = spawnSync(program, args, { cwd: s.directory, env, input, stdio, timeout: 120_000 });
      const [stdout, stderr] = streams.map((fd) => readFileSync(`/proc/self/fd/${fd}`, "utf8"));
      assert.equal(status, 0, stderr);
      return stdout;
    } finally {
      for (const fd of streams) closeSync(fd);
    }
  }

  /** Removes what `fdbundle` has made on the host. */
  removeBundles(): void {
    const store = this.s.path("store");
    if (!existsSync(store)) return;
    this.onHost("fdbundle ls --quiet | xargs --no-run-if-empty fdbundle rm --force");
    if (mountInfo().some((line) => line.split(" ")[4] === store)) command("umount", store);
  }

  /** Makes a bundle, "bundle" or beside it, whose container sleeps or runs a script in its network. */
  bundle(wishes: Partial<NetworkWishes>, script = "sleep 1000", change: (config: FullConfig) => void = () => {}): void {
    const { s } = this;
    const nothing = { ip: [], subnet: [], publish: [], dns: [], addHost: [] };
    const parts = networkParts(FDNET, { ...nothing, ...wishes });
    if (!existsSync(join(s.bundle, "net")) && parts.mounts.length > 0) prepareFiles(s.bundle);
    s.write((config) => {
      config.process.args = ["sh", "-c", script];
      config.linux.namespaces = config.linux.namespaces.filter(({ type }) => type !== "network");
      if (parts.namespace) {
        const path = parts.namespace.path?.replace("/run/fdnet", this.root);
        config.linux.namespaces.push(path === undefined ? parts.namespace : { type: "network", path });
      }
      config.mounts.push(...parts.mounts);
      config.hooks = Object.fromEntries(
        Object.entries(parts.hooks).map(([kind, hooks]) => [
          kind,
          (hooks as Hook[]).map(({ path, args = [] }) => ({
            path,
            args: [args[0], "--root", this.root, "--networks", this.configs, ...args.slice(1)],
            env: [`PATH=${this.programs}:${process.env.PATH}`],
          })),
        ]),
      );
      change(config);
    });
  }

  /** Creates and starts a container of the bundle as it is now. */
  start(id: string): void {
    this.s.config.linux.cgroupsPath = cgroupsPath(id);
    this.s.writeText(JSON.stringify(this.s.config));
    this.fdrunc("create", id).succeeds();
    this.fdrunc("start", id).succeeds();
  }

  delete(...ids: string[]): void {
    for (const id of ids) this.fdrunc("delete", "--force", id).succeeds();
  }

  /** What a script puts out in a container. */
  inside(id: string, script: string): string {
    return this.s.fdrunc(["exec", id, "sh", "-c", script]).succeeds();
  }

  /** Serves at a port, as long as the test runs, who asks, where the command line leads that is given. */
  serve(under: readonly string[], protocol: keyof typeof SERVERS, port: number): void {
    this.s.spawn([...under, process.execPath, "-e", SERVERS[protocol], String(port)]);
  }

  /** What a shell's command prints outside. */
  fromOutside = (script: string): string => command(...this.within(this.outside), "sh", "-c", script);

  /** What a server says to who asks from a namespace; empty where there is none. */
  ask(holder: number, address: string, port: number, protocol: "tcp" | "udp" = "tcp"): string {
    const [program, ...args] = [
      ...this.within(holder),
      process.execPath,
      "-e",
      CLIENTS[protocol],
      String(port),
      address,
    ];
    return spawnSync(program, args, { encoding: "utf8", timeout: 30_000 }).stdout;
  }

  /** The command line that runs another one in a container's network. */
  withinContainer = (id: string): string[] => ["nsenter", `--net=/proc/${this.s.stateOf(id).pid}/ns/net`];

  /** All that a network can leave in the host's namespace, as text. */
  networkOfHost(): string {
    const there = (...words: string[]) => command(...this.within(this.host), ...words);
    const suffix = this.tables === "default" ? "" : `-${this.tables}`;
    const rules = ["iptables", "ip6tables"].map((program) =>
      there(`${program}${suffix}-save`).replace(/^#.*\n|\[\d+:\d+\]|^:\w+ ACCEPT.*\n|^\*\w+\n|^COMMIT\n/gm, ""),
    );
    const devices = there("ip", "-brief", "link").replace(/@.*/gm, "");
    return [devices, there("ip", "-brief", "-4", "address"), there("ip", "route"), ...rules].join("\n--\n");
  }

  /** Asserts that nothing of any container is left: devices, addresses, routes, rules, leases, records, mounts. */
  assertNothingLeft(): void {
    eventually(() => assert.equal(this.networkOfHost(), this.before));
    assert.deepEqual(entries(join(this.root, "containers")), []);
    assert.deepEqual(entries(join(this.root, "leases")), []);
    assert.ok(!readFileSync("/proc/self/mountinfo", "utf8").includes(this.root));
  }
}

const SERVERS = {
  tcp: `require("net").createServer((s) => s.on("error", () => {}).end("hello " + s.remoteAddress)).listen(process.argv[1], "::")`,
  udp: `const s = require("dgram").createSocket("udp6");
    s.on("message", (_, from) => s.send("hello " + from.address, from.port, from.address)).bind(process.argv[1])`,
  http: `require("http").createServer((q, r) => r.end("hello " + q.socket.remoteAddress)).listen(process.argv[1], "::")`,
  // Any name has the address that the server was asked at: RFC 1035, section 4.
  dns: `const s = require("dgram").createSocket("udp4");
    s.on("message", (q, from) => {
      const end = q.indexOf(0, 12) + 5;
      const head = Buffer.from([q[0], q[1], 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
      const answer = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 2]);
      s.send(Buffer.concat([head, q.subarray(12, end), answer]), from.port, from.address);
    }).bind(process.argv[1])`,
};

const CLIENTS = {
  tcp: `const s = require("net").connect(process.argv[1], process.argv[2]).on("error", () => process.exit(1));
    s.setTimeout(5000, () => process.exit(1)).pipe(process.stdout)`,
  udp: `const s = require("dgram").createSocket(process.argv[2].includes(":") ? "udp6" : "udp4");
    s.send("?", process.argv[1], process.argv[2]);
    s.on("message", (text) => { console.log(String(text)); process.exit() });
    setTimeout(() => process.exit(1), 2000)`,
};

/** Which network a process is in; undefined where it has ended. */
export function networkOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`);
  } catch {
    return undefined;
  }
}

/** A network namespace of the test's own, by the process that holds it. */
function namespace(s: Scene): number {
  const pid = s.spawn(["unshare", "--net", "sleep", "1000"]).child.pid as number;
  eventually(() => assert.notEqual(networkOf(pid), networkOf(process.pid)));
  return pid;
}

export function command(...words: string[]): string {
  const { status, stdout, stderr } = spawnSync(words[0], words.slice(1), { encoding: "utf8" });
  assert.equal(status, 0, `${words.join(" ")}: ${stderr}`);
  return stdout;
}
