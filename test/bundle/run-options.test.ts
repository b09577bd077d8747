import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { parseConfig } from "../../src/config/load.js";
import { dockerArchive, imageConfig, layer } from "./archives.js";
import { configOf, type Place, placed } from "./place.js";
import { file } from "./tar-writer.js";

const BASE = layer([file("etc/passwd", "app:x:1000:1001::/home/app:/bin/sh\n")]);
const IMAGE = {
  Entrypoint: ["/entry"],
  Cmd: ["one", "two"],
  Env: ["A=image", "PATH=/bin"],
  Labels: { a: "image", b: "image" },
  Volumes: { "/data": {}, "/other": {} },
};

let made = 0;

/** The config.json of a bundle made with flags. */
function convert(place: Place, ...flags: string[]) {
  const tarball = place.write("i.tar", dockerArchive([BASE], ["x/name:1"], imageConfig([BASE], IMAGE)));
  const output = `bundle-${++made}`;
  const { status, stderr } = place.fdbundle("from-tar", tarball, "-o", output, "--store", "copy", ...flags);
  assert.equal(status, 0, stderr);
  // What we write must be what we load.
  parseConfig("config.json", readFileSync(place.path(output, "config.json"), "utf8"));
  return configOf(place.path(output));
}

placed("program, user, variables and annotations as asked for", (place) => {
  const plain = convert(place);
  assert.deepEqual(plain.process.args, ["/entry", "one", "two"]);
  assert.deepEqual(convert(place, "--", "sh", "-c", "x").process.args, ["/entry", "sh", "-c", "x"]);
  assert.deepEqual(convert(place, "--entrypoint", "/bin/sh").process.args, ["/bin/sh"]);
  assert.deepEqual(convert(place, "--entrypoint=", "sh").process.args, ["sh"]);
  const flags = ["-e", "A=b=c", "--env", "NEW=", "-w", "/work", "-u", "app", "--hostname", "my-docker", "-t"];
  const { process, hostname, annotations } = convert(place, ...flags, "-l", "a=mine=x", "--label", "c");
  assert.deepEqual(process.env, ["PATH=/bin", "A=b=c", "NEW=", "HOME=/home/app", "TERM=xterm"]);
  assert.deepEqual([process.cwd, process.user.uid, process.terminal, hostname], ["/work", 1000, true, "my-docker"]);
  assert.deepEqual([annotations.a, annotations.b, annotations.c], ["mine=x", "image", ""]);
});

placed("mounts and limits as asked for", (place) => {
  const source = place.write("file", "");
  const flags = ["-v", "./file:/data:ro,z", "--tmpfs", "/tmp:size=1m,mode=1777", "--read-only"];
  const limits = ["--memory", "64M", "--cpus", "1.5", "--pids", "20"];
  const { mounts, root, linux } = convert(place, ...flags, ...limits);
  assert.deepEqual(root, { path: "rootfs", readonly: true });
  assert.deepEqual(mounts.slice(7), [
    { destination: "/other", type: "bind", source: "volumes/0", options: ["rbind", "rw"] },
    {
      destination: "/tmp",
      type: "tmpfs",
      source: "tmpfs",
      options: ["nosuid", "nodev", "noexec", "size=1m", "mode=1777"],
    },
    { destination: "/data", type: "bind", source, options: ["rbind", "rprivate", "ro"] },
  ]);
  const { memory, cpu, pids, devices } = linux.resources;
  assert.deepEqual([memory, cpu, pids], [{ limit: 64 << 20 }, { quota: 150000, period: 100000 }, { limit: 20 }]);
  assert.equal(devices.length, 1);
});

placed("capabilities and the filter of system calls", (place) => {
  const capabilities = (...flags: string[]): string[] => convert(place, ...flags).process.capabilities.bounding;
  assert.equal(capabilities().length, 14);
  assert.deepEqual(capabilities("--cap-drop", "all", "--cap-add", "net_admin", "--cap-add=CAP_CHOWN"), [
    "CAP_CHOWN",
    "CAP_NET_ADMIN",
  ]);
  assert.equal(capabilities("--cap-add", "ALL", "--cap-drop", "MKNOD").length, 40);
  const allowed = (...flags: string[]): string[] =>
    convert(place, ...flags).linux.seccomp.syscalls.flatMap(({ names, action }: { names: string[]; action: string }) =>
      action === "SCMP_ACT_ALLOW" ? names : [],
    );
  const usual = allowed();
  assert.ok(usual.includes("openat") && usual.includes("chroot") && !usual.includes("mount") && !usual.includes("bpf"));
  assert.ok(allowed("--cap-add", "SYS_ADMIN").includes("mount"));
  const socket = (convert(place).linux.seccomp.syscalls as { names: string[]; args: { value: number; op: string }[] }[])
    .filter(({ names }) => names.includes("socket"))
    .map(({ args: [{ value, op }] }) => `${op} ${value}`);
  // AF_INET6 is 10, AF_NETLINK 16, AF_ALG 38, AF_VSOCK 40.
  assert.ok(socket.includes("SCMP_CMP_LT 12") && socket.includes("SCMP_CMP_EQ 16"));
  assert.ok(!socket.includes("SCMP_CMP_EQ 38") && !socket.includes("SCMP_CMP_EQ 40"));
  assert.ok(!allowed("--cap-drop", "SYS_CHROOT").includes("chroot"));
  assert.equal(convert(place, "--security-opt", "seccomp=unconfined").linux.seccomp, undefined);
  const own = { defaultAction: "SCMP_ACT_ALLOW", syscalls: [{ names: ["chmod"], action: "SCMP_ACT_ERRNO" }] };
  const profile = place.write("profile.json", JSON.stringify(own));
  const { linux, process } = convert(place, "--security-opt", `seccomp=${profile}`, "--security-opt=no-new-privileges");
  assert.deepEqual([linux.seccomp, process.noNewPrivileges], [own, true]);
});

placed("volumes that have names, and devices", (place) => {
  const sourceOf = (config: { mounts: { destination: string; source: string }[] }, path: string) =>
    config.mounts.find(({ destination }) => destination === path)?.source as string;
  // The image's users are data of the volume's first.
  const first = sourceOf(convert(place, "-v", "users:/etc"), "/etc");
  assert.equal(first, place.path("store/volumes/users"));
  assert.deepEqual(readdirSync(first), ["passwd"]);
  place.write("store/volumes/users/mine", "");
  assert.equal(sourceOf(convert(place, "-v", "users:/other:ro"), "/other"), first);
  assert.deepEqual(readdirSync(first), ["mine", "passwd"]);
  const flags = ["--device", "/dev/null:/dev/nothing:r", "--device=/dev/zero"];
  const { devices, resources } = convert(place, ...flags).linux;
  const [nothing, zero] = devices;
  assert.deepEqual(nothing, { type: "c", path: "/dev/nothing", major: 1, minor: 3, fileMode: 0o666, uid: 0, gid: 0 });
  assert.deepEqual([zero.path, zero.major, zero.minor], ["/dev/zero", 1, 5]);
  assert.deepEqual(resources.devices.slice(1), [
    { allow: true, type: "c", major: 1, minor: 3, access: "r" },
    { allow: true, type: "c", major: 1, minor: 5, access: "rwm" },
  ]);
});

placed("the network that is asked for, by hooks", (place) => {
  const namespaces = (config: { linux: { namespaces: object[] } }) =>
    config.linux.namespaces.filter((namespace) => (namespace as { type: string }).type === "network");
  const none = convert(place);
  assert.deepEqual([none.hooks, namespaces(none)], [undefined, [{ type: "network" }]]);
  const flags = ["--net=web", "--subnet=10.0.0.0/24", "-p", "80:80", "--dns", "10.0.0.1", "--add-host=db:10.0.0.9"];
  const web = convert(place, ...flags, "--hostname=box");
  const [{ path, args }] = web.hooks.createRuntime;
  assert.match(path, /^\/.*\/fdnet$/);
  assert.deepEqual(args.slice(0, 3), ["fdnet", "up", "--net=web"]);
  assert.deepEqual(args.slice(3).sort(), [
    "--add-host=db:10.0.0.9",
    "--dns=10.0.0.1",
    "--hostname=box",
    "--publish=80:80",
    "--subnet=10.0.0.0/24",
  ]);
  assert.deepEqual(web.hooks.poststop, [{ path, args: ["fdnet", "down"] }]);
  assert.deepEqual(namespaces(web), [{ type: "network" }]);
  const files = ["/etc/resolv.conf", "/etc/hosts", "/etc/hostname"];
  const destinations = (config: { mounts: { destination: string }[] }) =>
    config.mounts.map(({ destination }) => destination).filter((name) => files.includes(name));
  assert.deepEqual(destinations(web), files);
  const host = convert(place, "--net", "host");
  assert.deepEqual([namespaces(host), Object.keys(host.hooks)], [[], ["createRuntime"]]);
  const other = convert(place, "--net=container:web", "-v", "/etc/hosts:/etc/hosts");
  assert.deepEqual(namespaces(other), [{ type: "network", path: "/run/fdnet/containers/web/netns" }]);
  assert.deepEqual(destinations(other), ["/etc/hosts", "/etc/resolv.conf", "/etc/hostname"]);
});

placed("flags that are wrong are one line, and nothing is left", (place) => {
  const cases: [flag: string, value: string, reason: RegExp][] = [
    ["--env", "NOT_SET_HERE", /^--env: "NOT_SET_HERE": no value is given, and none is here$/],
    ["--volume", "/x", /^--volume: "\/x": not of the form/],
    ["--volume", "/none/such:/x", /^--volume: "\/none\/such": it does not exist$/],
    ["--volume", "/etc:/x:rx", /^--volume: ".*": there is no option "rx"$/],
    ["--volume", ".x:/x", /^--volume: "\.x": neither a path nor a volume's name$/],
    ["--device", "/dev", /^--device: "\/dev": not a device$/],
    ["--device", "/none", /^--device: "\/none": it does not exist$/],
    ["--device", "/dev/null:/x:rr", /^--device: ".*": not of the form/],
    ["--tmpfs", "x", /^--tmpfs: "x": not an absolute path$/],
    ["--memory", "much", /^--memory: "much": no number of bytes$/],
    ["--cpus", "0", /^--cpus: "0": not a number of processors/],
    ["--pids", "-1", /^--pids: "-1": not a number above 0$/],
    ["--cap-add", "FLY", /^--cap-add: "FLY": there is no capability of that name$/],
    ["--security-opt", "apparmor=x", /^--security-opt: "apparmor=x": neither/],
    ["--security-opt", "seccomp=/none", /^--security-opt: "\/none": .*no such file/],
    ["--publish", "x:80", /^--publish: "x:80": not of the form/],
    ["--ip", "10.0.0", /^--ip: "10\.0\.0": not an address$/],
    ["--net", "a b", /^--net: "a b": neither none/],
    ["--subnet", "10.0.0.1/8", /^--subnet: "10\.0\.0\.1\/8": there are bits set/],
    ["--user", "nobody", /user "nobody": the image's \/etc\/passwd has none/],
  ];
  place.fdbundle("ls");
  const tarball = place.write("i.tar", dockerArchive([BASE]));
  for (const [flag, value, reason] of cases) {
    const { status, stderr } = place.fdbundle("from-tar", tarball, "-o", "bundle", `${flag}=${value}`);
    assert.equal(status, 1);
    const [, message] = /^fdbundle: ([^\n]*)\n$/.exec(stderr) ?? assert.fail(stderr);
    assert.match(message, reason);
    place.isClean();
  }
});
