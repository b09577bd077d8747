import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { directory, type Entry, file, symlink, tar } from "../bundle/tar-writer.js";

const BUSYBOX = "/bin/busybox";

/** What the image has beside busybox, which engines look ids and names up in. */
const FILES: readonly Entry[] = [
  ...["bin/", "dev/", "etc/", "proc/", "root/", "sys/"].map((name) => directory(name)),
  directory("tmp/", { mode: 0o1777 }),
  file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/:/bin/sh\n"),
  file("etc/group", "root:x:0:\nuser:x:1000:\n"),
];

/** Debian's busybox and names of all its programs, as `docker save` writes an image: with its name, and what it runs by itself. */
export function imageArchive(reference: string, command: readonly string[] = ["sh"]): Buffer {
  const { stdout } = spawnSync(BUSYBOX, ["--list"], { encoding: "utf8" });
  const names = stdout.split("\n").filter((name) => name !== "" && name !== "busybox");
  const layer = tar([
    ...FILES,
    file("bin/busybox", readFileSync(BUSYBOX), { mode: 0o755 }),
    ...names.map((name) => symlink(`bin/${name}`, "busybox")),
  ]);
  const architecture = process.arch === "arm64" ? "arm64" : "amd64";
  const config = JSON.stringify({
    ...{ architecture, os: "linux", config: { Env: ["PATH=/bin"], Cmd: command } },
    history: [{ created_by: "busybox" }],
    rootfs: { type: "layers", diff_ids: [`sha256:${sha256(layer)}`] },
  });
  const name = `${sha256(config)}.json`;
  const manifest = JSON.stringify([{ Config: name, RepoTags: [reference], Layers: ["layer.tar"] }]);
  return tar([file(name, config), file("layer.tar", layer), file("manifest.json", manifest)]);
}

const sha256 = (content: string | Buffer): string => createHash("sha256").update(content).digest("hex");
