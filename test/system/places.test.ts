import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Mount } from "../../src/generated/config.js";
import { asRoot, type FullConfig, removeCgroupsOfRunc, type Scene, system } from "./harness.js";

/** Links of an image: all lead to or through /made, which is missing. */
const LINKS: Record<string, string> = {
  "etc/resolv.conf": "../made/resolve/stub.conf",
  file: "/made/file",
  directory: "made/directory",
  chain: "chained/to",
  chained: "made/chained",
  out: "../../../made/out",
  "dev/log": "/made/log",
};

/** Puts the links into the root file system, and what is to be bound beside it. Returns binds on destinations. */
function prepare(s: Scene): (destination: string) => Mount {
  mkdirSync(s.path("source"));
  writeFileSync(s.path("source/content"), "of a directory\n");
  writeFileSync(s.path("file"), "of a file\n");
  for (const name of ["etc", "dev"]) mkdirSync(join(s.rootfs, name), { recursive: true });
  for (const [path, target] of Object.entries(LINKS)) symlinkSync(target, join(s.rootfs, path));
  return (destination) => ({
    destination,
    type: "bind",
    source: s.path(/directory|chain/.test(destination) ? "source" : "file"),
    options: ["bind"],
  });
}

/** Mounts behind the links, by what is looked at: the mount points and what is seen there. */
const DESTINATIONS = [
  "/etc/resolv.conf",
  "/file",
  "/directory",
  "/directory/below",
  "/chain/deep",
  "/out/deeper/file",
  "/dev/log",
];
const LOOK =
  "pwd -P; grep -o ' /made[^ ]* ' /proc/self/mountinfo; cd /; find made | sort | xargs stat -c '%n %F %a %u:%g'; " +
  "cat etc/resolv.conf file directory/content chain/deep/content out/deeper/file dev/log; ls -l etc dev/log | grep -c ' -> '";

system("destinations behind links that lead to nothing are made where the links lead, inside the root", (s) => {
  const bind = prepare(s);
  const out = s.sh(LOOK, (config) => {
    config.root.readonly = false;
    config.mounts = config.mounts.filter(({ destination }) => !destination.startsWith("/dev"));
    config.mounts.push(...DESTINATIONS.map(bind));
  });
  for (const path of [
    "resolve/stub.conf",
    "file",
    "directory",
    "directory/below",
    "chained/to/deep",
    "out/deeper/file",
  ])
    assert.match(out, new RegExp(`^ /made/${path} $`, "m"));
  assert.equal(out.match(/^of a file$/gm)?.length, 4);
  assert.equal(existsSync("/made"), false);
});

system("a link leads into what is mounted before", (s) => {
  const bind = prepare(s);
  const out = s.sh("ls /made; cat /file /etc/resolv.conf; grep -c ' /made' /proc/self/mountinfo", (config) => {
    config.mounts.push({ destination: "/made", type: "tmpfs" }, bind("/file"), bind("/etc/resolv.conf"));
  });
  assert.equal(out, "file\nresolve\nof a file\nof a file\n3\n");
  assert.equal(existsSync(`${s.rootfs}/made/file`), false);
});

system("links in a circle, into /proc and to the root are refused in one line", (s) => {
  const bind = prepare(s);
  symlinkSync("circle", `${s.rootfs}/circle`);
  symlinkSync("made/../again", `${s.rootfs}/again`);
  symlinkSync("/proc/sys/kernel", `${s.rootfs}/kernel`);
  symlinkSync("made/..", `${s.rootfs}/root`);
  for (const [destination, message] of [
    ["/circle", '"/circle": too many levels of symbolic links (ELOOP)'],
    ["/again/x", '"/again/x": too many levels of symbolic links (ELOOP)'],
    [
      "/kernel/file",
      '"/kernel/file", a link to "/proc/sys/kernel/file": lies inside /proc, where only binds over a few known files are allowed',
    ],
    ["/root", '"/root", a link to "/": the root itself cannot be a mount\'s destination'],
  ]) {
    const { length } = s.write(({ mounts }) => mounts.push(bind(destination))).mounts;
    assert.equal(s.run().fails(), `mounts[${length - 1}].destination: ${message}`);
  }
  assert.equal(existsSync(`${s.rootfs}/made`), false);
});

system("the working directory and devices are made where links lead", (s) => {
  symlinkSync("made/work", `${s.rootfs}/work`);
  symlinkSync("/made/devices", `${s.rootfs}/devices`);
  const out = s.sh("pwd -P; stat -c '%n %F' /made/devices/pipe", (config) => {
    config.root.readonly = false;
    config.process.cwd = "/work/below";
    config.linux.devices = [{ type: "p", path: "/devices/pipe" }];
  });
  assert.equal(out, "/made/work/below\n/made/devices/pipe fifo\n");
});

system("devices are made where links lead to a /dev that is missing or mounted, and not in one that is bound", (s) => {
  const look = (change: (config: FullConfig) => void): string =>
    s.sh("stat -c '%n %t:%T' /dev/null /d/pipe; ls /made | sort | xargs", (config) => {
      config.root.readonly = false;
      config.mounts = config.mounts.filter(({ destination }) => !destination.startsWith("/dev"));
      config.linux.devices = [{ type: "p", path: "/d/pipe" }];
      change(config);
    });
  const made = "/dev/null 1:3\n/d/pipe 0:0\ncore fd full null pipe ptmx random stderr stdin stdout tty urandom zero\n";
  symlinkSync("/made", `${s.rootfs}/dev`);
  symlinkSync("dev", `${s.rootfs}/d`);
  const mounted = ({ mounts }: FullConfig) => mounts.push({ destination: "/d", type: "tmpfs", source: "tmpfs" });
  assert.equal(look(mounted), made);
  assert.deepEqual(readdirSync(`${s.rootfs}/made`), []);
  rmSync(`${s.rootfs}/made`, { recursive: true });
  assert.equal(
    look(() => {}),
    made,
  );
  mkdirSync(s.path("source"));
  s.write((config) => {
    config.process.args = ["true"];
    config.mounts = config.mounts.filter(({ destination }) => !destination.startsWith("/dev"));
    config.mounts.push({ destination: "/d", type: "bind", source: s.path("source"), options: ["bind"] });
    config.linux.devices = [{ type: "p", path: "/d/pipe" }];
    config.linux.maskedPaths = [];
  });
  s.run().succeeds();
  assert.deepEqual(readdirSync(s.path("source")), []);
});

asRoot("beside runc: destinations behind links come to lie where runc has them", (s, t) => {
  if (spawnSync("runc", ["--version"]).status !== 0) return t.skip("needs runc");
  const bind = prepare(s);
  s.write((config) => {
    config.root.readonly = false;
    config.process.args = ["sh", "-c", LOOK];
    config.mounts = config.mounts.filter(({ destination }) => !destination.startsWith("/dev"));
    config.process.cwd = "/chain/work";
    config.linux.devices = [{ type: "p", path: "/out/pipe" }];
    config.mounts.push(...DESTINATIONS.map(bind), { destination: "/directory/tmp", type: "tmpfs", source: "tmpfs" });
  });
  const ours = s.run().succeeds();
  const made = spawnSync("find", ["made"], { cwd: s.rootfs, encoding: "utf8" }).stdout;
  for (const name of ["made", "proc", "sys"]) rmSync(join(s.rootfs, name), { recursive: true, force: true });
  const files = ["out", "err"].map((name) => s.path(`runc.${name}`));
  const command = `exec runc --root ${s.path("runc")} run --bundle ${s.bundle} c > ${files[0]} 2> ${files[1]} < /dev/null`;
  const { status } = spawnSync("sh", ["-c", command]);
  removeCgroupsOfRunc();
  assert.deepEqual([status, readFileSync(files[1], "utf8")], [0, ""]);
  assert.equal(ours, readFileSync(files[0], "utf8"));
  const theirs = spawnSync("find", ["made"], { cwd: s.rootfs, encoding: "utf8" }).stdout;
  assert.equal(made, theirs);
});
