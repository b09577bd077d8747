/*
 * `npm run quickstart`: installs what is needed, builds, and goes the way from an image to a running container: a
 * `docker save` tarball (made here of Debian's static busybox, or TAR=file), a bundle of it, a container.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { HERE, TARGETS } from "./engine.mjs";
import { setUp } from "./setup.mjs";

const ROOT = new URL("../../", import.meta.url).pathname;
const PLACE = join(ROOT, ".cache/quickstart");
const BUNDLE = join(PLACE, "bundle");
const BUSYBOX = "/bin/busybox";
const GREETING = 'echo "Hello from $(hostname): $(uname -sr), process $$, user $(id -un)"';

process.chdir(ROOT);
if (process.getuid() !== 0) {
  console.error("quickstart: needs root, to unpack an image with its owners and to run a container of it");
  process.exit(1);
}
setUp(["busybox-static"]);
run("node", "src/build/build.mjs");
const FDRUNC = existsSync("dist/fdrunc") ? ["dist/fdrunc"] : ["node", "dist/node/bin/fdrunc.js"];
const FDBUNDLE = "dist/fdbundle";

if (existsSync(BUNDLE)) run(FDBUNDLE, "rm", shown(BUNDLE));
rmSync(PLACE, { recursive: true, force: true });
mkdirSync(PLACE, { recursive: true });
const tarball = process.env.TAR ? resolve(process.env.INIT_CWD ?? ".", process.env.TAR) : makeTarball();
run(FDBUNDLE, "from-tar", shown(tarball), "-o", shown(BUNDLE));
run(...FDRUNC, "run", "-b", shown(BUNDLE), "quickstart");

const next = [
  [[...FDRUNC, "run", "-b", shown(BUNDLE), "again"], "run it again; config.json says what it runs"],
  [[...FDRUNC, "plan", "-b", shown(BUNDLE)], "print every system call that makes it"],
  [[FDBUNDLE, "ls"], "list the bundles"],
  [[FDBUNDLE, "rm", shown(BUNDLE)], "remove the bundle, and its layers from the store"],
].map(([command, what]) => `  ${command.join(" ").padEnd(60)}  ${what}`);
console.log(`
That was a container. It is gone; its bundle, ${shown(BUNDLE)}, is there: config.json and rootfs.
What to type next:
${next.join("\n")}`);

/** Says a command line and runs it. */
function run(...command) {
  console.log(`\n$ ${command.join(" ")}`);
  const { status, error } = spawnSync(command[0], command.slice(1), { stdio: "inherit" });
  if (status === 0) return;
  console.error(
    `quickstart: "${command[0]}" ${error ? `could not be run: ${error.message}` : `ended with status ${status}`}`,
  );
  process.exit(1);
}

function shown(path) {
  const inside = relative(ROOT, path);
  return inside.startsWith("..") ? path : inside;
}

/** An image of one layer, in the form that `docker save` writes. */
function makeTarball() {
  if (!existsSync(BUSYBOX)) {
    console.error(
      `quickstart: there is no ${BUSYBOX} to make an image of; install busybox-static, or set TAR to a tarball`,
    );
    process.exit(1);
  }
  const image = join(PLACE, "image");
  const rootfs = join(PLACE, "rootfs");
  for (const directory of ["bin", "dev", "etc", "proc", "root", "sys", "tmp"]) {
    mkdirSync(join(rootfs, directory), { recursive: true });
  }
  chmodSync(join(rootfs, "tmp"), 0o1777);
  cpSync(BUSYBOX, join(rootfs, "bin/busybox"));
  const { stdout } = spawnSync(BUSYBOX, ["--list"], { encoding: "utf8" });
  for (const applet of stdout
    .trim()
    .split("\n")
    .filter((name) => name !== "busybox")) {
    symlinkSync("busybox", join(rootfs, "bin", applet));
  }
  writeFileSync(join(rootfs, "etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n");
  writeFileSync(join(rootfs, "etc/group"), "root:x:0:\n");

  mkdirSync(join(image, "layer"), { recursive: true });
  const layer = join(image, "layer/layer.tar");
  archive(layer, rootfs);
  const config = JSON.stringify({
    architecture: TARGETS[HERE].debian,
    os: "linux",
    config: { Env: ["PATH=/bin"], Cmd: ["sh", "-c", GREETING], WorkingDir: "/root" },
    rootfs: { type: "layers", diff_ids: [`sha256:${sha256(readFileSync(layer))}`] },
  });
  const id = sha256(config);
  writeFileSync(join(image, `${id}.json`), config);
  const manifest = [{ Config: `${id}.json`, RepoTags: ["busybox:quickstart"], Layers: ["layer/layer.tar"] }];
  writeFileSync(join(image, "manifest.json"), JSON.stringify(manifest));
  const tarball = join(PLACE, "busybox.tar");
  archive(tarball, image);
  for (const directory of [image, rootfs]) rmSync(directory, { recursive: true });
  return tarball;
}

function archive(tarball, directory) {
  run("tar", "--numeric-owner", "--owner=0", "--group=0", "-cf", shown(tarball), "-C", shown(directory), ".");
}

function sha256(content) {
  return createHash("sha256").update(content).digest("hex");
}
