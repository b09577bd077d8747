import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { diskUsage } from "../../src/bundle/disk-usage.js";
import { claim } from "../../src/bundle/lock.js";
import { makeBundle } from "../../src/bundle/make-bundle.js";
import { mountOverlay, mountOverlayByPage } from "../../src/bundle/overlay-mount.js";
import { makeSubvolume } from "../../src/bundle/subvolume.js";
import { close } from "../../src/linux/file.js";
import { dockerArchive, layer, ociArchive } from "./archives.js";
import { btrfs, eachStore, FDBUNDLE, MISSING, type Place, placed, RUN } from "./place.js";
import { directory, file } from "./tar-writer.js";
import { names, tree } from "./tree.js";

/** An image whose unpacking takes some hundred milliseconds. */
function slowImage(): Buffer {
  const layers = Array.from({ length: 4 }, (_, i) =>
    layer([directory(`d${i}/`), ...Array.from({ length: 1000 }, (_, n) => file(`d${i}/${n}`, "content"))]),
  );
  return ociArchive(layers);
}

/** Starts fdbundle with the store. */
function start(place: Place, ...args: string[]) {
  const [command, ...first] = FDBUNDLE;
  const child = spawn(command, [...first, "--root", place.path("store"), ...args], { cwd: place.directory });
  const output = { out: "", err: "" };
  child.stdout.on("data", (bytes) => {
    output.out += bytes;
  });
  child.stderr.on("data", (bytes) => {
    output.err += bytes;
  });
  const ended = new Promise<{ code: number | null; out: string; err: string }>((resolve) =>
    child.on("close", (code) => resolve({ code, ...output })),
  );
  return { child, ended };
}

eachStore("bundles are listed and removed, layers with the last that has them", async (place, kind) => {
  const shared = layer([file("shared", "s")]);
  const first = await place.convert(dockerArchive([shared, layer([file("one")])], ["x/one:1"]), kind);
  const second = await place.convert(dockerArchive([shared, layer([file("two")])], ["x/two:2"]), kind);
  const listed = JSON.parse(place.fdbundle("ls", "-f", "json").stdout);
  assert.deepEqual(
    listed.map(({ path, image, store }: Record<string, string>) => [path, image, store]),
    [
      [first, "x/one:1", kind],
      [second, "x/two:2", kind],
    ],
  );
  assert.match(place.fdbundle("ls").stdout, /^BUNDLE +IMAGE +STORE +CREATED\n.*one:1.*\n.*two:2.*\n$/);
  const layers = () => ["overlay", "btrfs"].flatMap((name) => readdirSync(place.path("store", name))).length;
  assert.equal(layers(), kind === "copy" ? 0 : 3);
  writeFileSync(`${first}/rootfs/one`, "changed");
  assert.deepEqual(place.fdbundle("rm", "bundle-1"), { status: 0, stdout: "", stderr: "" });
  assert.equal(existsSync(first), false);
  assert.equal(layers(), kind === "copy" ? 0 : 2);
  assert.deepEqual(names(`${second}/rootfs`), [".", "shared", "two"]);
  assert.equal(place.fdbundle("rm", second).status, 0);
  place.isClean();
});

eachStore("bundles of one image do not see each other's changes", async (place, kind) => {
  const archive = dockerArchive([layer([file("f", "image")])]);
  const [first, second] = [await place.convert(archive, kind), await place.convert(archive, kind)];
  writeFileSync(`${first}/rootfs/f`, "changed");
  assert.equal(readFileSync(`${second}/rootfs/f`, "utf8"), "image");
  assert.equal(readFileSync(`${await place.convert(archive, kind)}/rootfs/f`, "utf8"), "image");
});

eachStore("a bundle that was moved, and one that was removed by hand", async (place, kind) => {
  const bundle = await place.convert(dockerArchive([layer([file("f")])]), kind);
  renameSync(bundle, place.path("bundle-moved"));
  if (kind !== "copy")
    assert.match(
      place.fdbundle("rm", bundle).stderr,
      /^fdbundle: ".*bundle-1": it is mounted on ".*bundle-moved\/rootfs" /,
    );
  assert.deepEqual(names(place.path("bundle-moved/rootfs")), [".", "f"]);
  assert.deepEqual(place.fdbundle("rm", "bundle-moved/"), { status: 0, stdout: "", stderr: "" });
  place.isClean();

  const other = await place.convert(dockerArchive([layer([file("f")])]), kind);
  spawnSync("umount", [`${other}/rootfs`]);
  rmSync(other, { recursive: true });
  // Somebody else's now.
  mkdirSync(other);
  assert.equal(place.fdbundle("rm", other).status, 1);
  rmSync(other, { recursive: true });
  assert.deepEqual(place.fdbundle("rm", other), { status: 0, stdout: "", stderr: "" });
  place.isClean();
});

eachStore("bundles are mounted again after a restart", async (place, kind) => {
  const bundle = await place.convert(dockerArchive([layer([file("f")]), layer([file("g")])], ["x/i:1"]), kind);
  const other = await place.convert(dockerArchive([]), kind);
  writeFileSync(`${bundle}/rootfs/f`, "changed");
  const rootfs = kind === "copy" ? [] : [`${bundle}/rootfs`];
  const inspect = () => JSON.parse(place.fdbundle("inspect", bundle).stdout);
  const { path, image, store, layers, mounts } = inspect();
  assert.deepEqual([path, image, store, layers.length, mounts], [bundle, "x/i:1", kind, 2, rootfs]);
  assert.deepEqual(place.fdbundle("unmount", bundle, other), { status: 0, stdout: "", stderr: "" });
  assert.deepEqual([place.mounts(), inspect().mounts], [[], []]);
  for (const paths of [[bundle], [], []]) {
    assert.deepEqual(place.fdbundle("mount", ...paths), { status: 0, stdout: "", stderr: "" });
    assert.equal(readFileSync(`${bundle}/rootfs/f`, "utf8"), "changed");
    assert.deepEqual(names(`${bundle}/rootfs`), [".", "f", "g"]);
  }
  assert.equal(place.mounts().length, kind === "copy" ? 0 : 2);
  assert.equal(place.fdbundle("rm", bundle, other).status, 0);
  place.isClean();
});

eachStore("a bundle's directory that is there already", async (place, kind) => {
  const archive = place.write("i.tar", dockerArchive([layer([file("f")])]));
  const convert = (output: string) => place.fdbundle("from-tar", archive, "--store", kind, "-o", output);
  mkdirSync(place.path("bundle-full/x"), { recursive: true });
  assert.deepEqual(convert("bundle-full"), {
    status: 1,
    stdout: "",
    stderr: 'fdbundle: "bundle-full": it exists already and is not empty\n',
  });
  assert.match(convert("i.tar").stderr, /^fdbundle: ".*i.tar": scandir: not a directory \(ENOTDIR\)\n$/);
  assert.match(
    convert("none/bundle").stderr,
    /^fdbundle: "none\/bundle": lstat: no such file or directory \(ENOENT\)\n$/,
  );
  rmSync(place.path("bundle-full"), { recursive: true });
  place.isClean();
  mkdirSync(place.path("bundle-empty"));
  assert.equal(convert("bundle-empty").status, 0);
  assert.deepEqual(names(place.path("bundle-empty/rootfs")), [".", "f"]);
  assert.match(convert("bundle-empty").stderr, /it exists already/);
  assert.equal(statSync(place.path("bundle-empty")).mode & 0o777, 0o700);
});

placed("errors are one line that names the file", (place) => {
  const errors: [args: string[], reason: RegExp][] = [
    [["from-tar", "none.tar"], /^fdbundle: "none.tar": open: no such file or directory \(ENOENT\)\n$/],
    [["from-tar", "."], /^fdbundle: "\.": neither "oci-layout" nor "manifest.json" is in it /],
    [
      ["from-tar", place.write("x.tar", dockerArchive([layer([file("../../etc/x")])]))],
      /^fdbundle: "\/.*x.tar": layer 1 \(sha256:\w+\): entry "..\/..\/etc\/x": .*\n$/,
    ],
    [["rm", "none"], /^fdbundle: "none": the store knows of no bundle there \(`fdbundle ls` lists them\)\n$/],
    [[], /^fdbundle: no command given \(see fdbundle --help\)\n$/],
    [["from-tar", "x", "--store", "none"], /^fdbundle: option '--store <kind>' argument 'none' is invalid[^\n]*\n$/],
  ];
  for (const [args, reason] of errors) {
    const { status, stdout, stderr } = place.fdbundle(...args);
    assert.match(stderr, reason);
    assert.deepEqual([status, stdout], [1, ""]);
  }
  assert.match(place.fdbundle("--help").stdout, /from-tar/);
  assert.match(place.fdbundle("--version").stdout, /^fdbundle version \d/);
  place.isClean();
});

placed("names of directories that are no ASCII", async (place) => {
  const odd = place.path("ünï ☃, ':\\");
  mkdirSync(odd);
  const archive = place.write(
    "i.tar",
    dockerArchive([
      layer([directory("d/"), file("d/f", "", { pax: { "SCHILY.xattr.user.x": "1" } })]),
      layer([file("g")]),
    ]),
  );
  for (const kind of ["overlay", "copy"] as const) {
    const [command, ...first] = FDBUNDLE;
    const args = [...first, "--root", `${odd}/store`, "from-tar", archive, "-o", `${odd}/bundle`, "--store", kind];
    const { status, stderr } = spawnSync(command, args, { encoding: "utf8" });
    assert.equal(status, 0, stderr);
    assert.match(stderr, /^run it by: fdrunc run -b '.*' bundle\n$/);
    assert.deepEqual(names(`${odd}/bundle/rootfs`), [".", "d", "d/f", "g"]);
    assert.equal(spawnSync(command, [...first, "--root", `${odd}/store`, "rm", `${odd}/bundle`]).status, 0);
  }
  assert.deepEqual(readdirSync(odd), ["store"]);
});

eachStore("a process that has the bundle for its root keeps it from being removed", async (place, kind) => {
  const image = layer([{ name: "busybox", content: readFileSync("/bin/busybox"), mode: 0o755 }]);
  const bundle = await place.convert(dockerArchive([image]), kind);
  const user = spawn("chroot", [`${bundle}/rootfs`, "/busybox", "sleep", "100"]);
  try {
    while (readlinkSync(`/proc/${user.pid}/root`) !== `${bundle}/rootfs`) await setTimeout(5);
    const { status, stderr } = place.fdbundle("rm", bundle);
    assert.equal(stderr, `fdbundle: "${bundle}": process ${user.pid} runs in it (--force removes it even so)\n`);
    assert.equal(status, 1);
    assert.deepEqual(names(`${bundle}/rootfs`), [".", "busybox"]);
    assert.deepEqual(place.fdbundle("rm", "--force", bundle), { status: 0, stdout: "", stderr: "" });
    place.isClean();
  } finally {
    user.kill("SIGKILL");
  }
});

eachStore("signals end a conversion, and nothing is left", async (place, kind) => {
  const archive = place.write("slow.tar", slowImage());
  for (const [signal, status] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const) {
    const { child, ended } = start(place, "from-tar", archive, "-o", "bundle", "--store", kind);
    while (!existsSync(place.path("store/bundles")) || readdirSync(place.path("store/bundles")).length === 0)
      await setTimeout(5);
    await setTimeout(30);
    child.kill(signal);
    assert.deepEqual(await ended, { code: status, out: "", err: `fdbundle: interrupted: ${signal}\n` });
    place.isClean();
  }
  // Also while it waits for its input.
  rmSync(place.path("store"), { recursive: true });
  const { child, ended } = start(place, "from-tar", "-", "-o", "bundle", "--store", kind);
  while (!existsSync(place.path("store/overlay"))) await setTimeout(5);
  child.kill("SIGTERM");
  assert.equal((await ended).code, 143);
  place.isClean();
});

eachStore("conversions of one image at the same time", async (place, kind) => {
  const archive = place.write("slow.tar", slowImage());
  const all = Array.from({ length: 4 }, (_, i) =>
    start(place, "from-tar", archive, "-o", `bundle-${i}`, "--store", kind),
  );
  // One of those that the others may wait for.
  await setTimeout(400);
  all[0].child.kill("SIGKILL");
  const [, ...others] = await Promise.all(all.map(({ ended }) => ended));
  for (const { code, err } of others) assert.equal(code, 0, err);
  // The image does not say what time its root has.
  const [one, two, three] = [1, 2, 3].map((i) => ({ ...tree(place.path(`bundle-${i}/rootfs`)), ".": 0 }));
  assert.equal(Object.keys(one).length, 4005);
  assert.deepEqual(two, one);
  assert.deepEqual(three, one);
  // While bundles come and go.
  const more = start(place, "from-tar", archive, "-o", "bundle-4", "--store", kind);
  assert.equal(place.fdbundle("rm", "bundle-1", "bundle-2", "bundle-3").status, 0);
  assert.equal((await more.ended).code, 0);
  assert.equal(names(place.path("bundle-4/rootfs")).length, 4005);
});

eachStore("what another command is just removing is left to it", async (place, kind) => {
  const archive = dockerArchive([layer([file("f")])]);
  const [kept, gone, removed] = [
    await place.convert(archive, kind),
    await place.convert(archive, kind),
    await place.convert(archive, kind),
  ];
  const { store } = place;
  const bundles = store.bundles();
  const own = (path: string) => bundles.find(({ record }) => record.path === path)?.own as string;
  // All know of it when one has it.
  spawnSync("umount", [`${gone}/rootfs`]);
  rmSync(gone, { recursive: true });
  const fd = claim(own(gone)) as number;
  assert.deepEqual(store.forgetGone(), []);
  close(fd);
  assert.deepEqual(store.forgetGone(), [gone]);
  assert.equal(place.fdbundle("rm", removed).status, 0);
  for (const bundle of bundles) store.mount(bundle);
  assert.deepEqual(names(`${kept}/rootfs`), [".", "f"]);
  assert.equal(diskUsage(own(removed), removed), 0);
  assert.equal(place.fdbundle("rm", kept).status, 0);
  place.isClean();
});

test("a directory is claimed while another process makes and removes it", { skip: MISSING }, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "fdbundle-claim-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const module = new URL("../../src/bundle/lock.js", import.meta.url).href;
  const code = `
    import { closeSync, rmdirSync } from "node:fs";
    import { claimNew } from ${JSON.stringify(module)};
    const path = ${JSON.stringify(join(directory, "d"))};
    for (let claimed = 0; claimed < 3000; ) {
      const fd = claimNew(path);
      if (fd === undefined) continue;
      claimed++;
      rmdirSync(path);
      closeSync(fd);
    }`;
  const claimers = [0, 1, 2, 3].map(() =>
    spawn(process.execPath, ["--input-type=module", "-e", code], { stdio: "inherit" }),
  );
  const ended = claimers.map(async (claimer) => (await once(claimer, "exit"))[0]);
  assert.deepEqual(await Promise.all(ended), [0, 0, 0, 0]);
});

placed("where overlay file systems cannot be had a copy is made", async (place, t) => {
  mkdirSync(place.path("lower/store"), { recursive: true });
  for (const name of ["upper", "work", "merged"]) mkdirSync(place.path(name));
  const [lower, upper, work] = ["lower", "upper", "work"].map((name) => place.path(name));
  const options = [
    "-t",
    "overlay",
    "-o",
    `lowerdir=${lower},upperdir=${upper},workdir=${work}`,
    "overlay",
    place.path("merged"),
  ];
  if (spawnSync("mount", options).status !== 0) return t.skip("needs overlay file systems");
  const archive = place.write("i.tar", dockerArchive([layer([file("f")])]));
  const convert = (...args: string[]) => {
    const [command, ...first] = FDBUNDLE;
    const all = [
      ...first,
      "--root",
      place.path("merged/store"),
      "from-tar",
      archive,
      "-o",
      place.path("bundle"),
      ...args,
    ];
    return spawnSync(command, all, { encoding: "utf8" });
  };
  assert.match(
    convert("--store=overlay").stderr,
    /^fdbundle: overlay file system with "upperdir=.*": invalid argument \(EINVAL\) \(.* not supported as upperdir\)\n$/,
  );
  const { status, stderr } = convert();
  assert.equal(status, 0);
  assert.match(
    stderr,
    /^fdbundle: warning: the root file system is a full copy: overlay file system with .*\nrun it by/,
  );
  assert.deepEqual(names(place.path("bundle/rootfs")), [".", "f"]);
  rmSync(place.path("bundle"), { recursive: true });
  spawnSync("umount", [place.path("merged")]);
});

placed("overlay file systems as kernels before 6.5 take them", async (place, t) => {
  if (place.store.choose(undefined, () => {}) !== "overlay") return t.skip("needs overlay file systems");
  // A path that is longer than options of fsconfig(2) are.
  const directory = place.path("n".repeat(250));
  mkdirSync(directory);
  const lower = Array.from({ length: 400 }, (_, i) => `${directory}/${i}`);
  for (const [i, path] of lower.entries()) {
    mkdirSync(path);
    writeFileSync(`${path}/f`, String(i));
    writeFileSync(`${path}/${i}`, "");
  }
  const [upper, work] = ["upper", "work"].map((name) => `${directory}/${name}`);
  for (const path of [upper, work]) mkdirSync(path);
  const overlay = { lower, upper, work, options: ["volatile", "index=off"] };
  const here = process.cwd();
  for (const mount of [mountOverlay, mountOverlayByPage]) {
    rmSync(`${overlay.work}/work`, { recursive: true, force: true });
    const fd = mount(overlay);
    try {
      assert.equal(readFileSync(`/proc/self/fd/${fd}/f`, "utf8"), "0");
      assert.equal(readdirSync(`/proc/self/fd/${fd}`).length, 401);
    } finally {
      close(fd);
    }
    assert.deepEqual([place.mounts(), process.cwd()], [[], here]);
  }
});

placed("a btrfs file system in a file, made and mounted", async (place, t) => {
  if (btrfs() === undefined) return t.skip("needs btrfs-progs, and btrfs in the kernel");
  const init = (...args: string[]) => place.fdbundle("store", "init", "--btrfs", "fs.img", ...args);
  const archive = dockerArchive([layer([file("f", "image")]), layer([file("g")])]);
  await assert.rejects(
    place.convert(archive, "btrfs"),
    /\/store\/btrfs\/.*: it does not lie on a btrfs file system \(`/,
  );
  place.isClean();
  assert.match(init("--size", "1M").stderr, /^fdbundle: --size: 1048576 bytes: btrfs needs \d+ bytes\n$/);
  assert.match(init("--size", "many").stderr, /^fdbundle: --size: "many": no number of bytes\n$/);
  assert.match(init().stderr, /^fdbundle: mount: .*fs.img.*\n$/);
  assert.equal(existsSync(place.path("fs.img")), false);
  assert.deepEqual(init("--size", "256M"), { status: 0, stdout: "", stderr: "" });
  assert.match(init().stderr, /^fdbundle: ".*store": a file system of type btrfs is mounted there\n$/);
  const bundles = [await place.convert(archive, "btrfs"), await place.convert(archive, "btrfs")];
  writeFileSync(`${bundles[0]}/rootfs/f`, "changed");
  assert.equal(readFileSync(`${bundles[1]}/rootfs/f`, "utf8"), "image");
  const layers = place.path("store/btrfs");
  for (const name of readdirSync(layers))
    assert.throws(() => writeFileSync(`${layers}/${name}/f`, ""), { code: "EROFS" });
  // A subvolume that a container made.
  makeSubvolume(`${bundles[0]}/rootfs/own`);
  writeFileSync(`${bundles[0]}/rootfs/own/f`, "");
  assert.deepEqual(place.fdbundle("rm", ...bundles), { status: 0, stdout: "", stderr: "" });
  for (const path of ["bundles", "btrfs", "trash"]) assert.deepEqual(readdirSync(place.path("store", path)), []);
  spawnSync("umount", [place.path("store")]);
  assert.match(
    init("--size", "256M").stderr,
    /^fdbundle: ".*fs.img": open: .*EEXIST\) \(without --size it is mounted\)\n$/,
  );
  assert.equal(init().status, 0);
});

eachStore("a task that is ended before it begins", async (place, kind) => {
  const tarball = place.write("i.tar", dockerArchive([layer([file("f")])]));
  const order = { tarball, output: place.path("bundle"), name: undefined, platform: undefined, store: kind, run: RUN };
  const reason = new Error("enough");
  await assert.rejects(makeBundle(place.store, order, place.task(AbortSignal.abort(reason))), reason);
  place.isClean();
});
