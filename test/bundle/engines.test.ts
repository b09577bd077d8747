import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import type { StoreKind } from "../../src/bundle/bundle-record.js";
import { makeBundle } from "../../src/bundle/make-bundle.js";
import { btrfs, configOf, KINDS, Place, placed, RUN } from "./place.js";
import { type Node, tree } from "./tree.js";

const TOOLS = ["buildah", "podman", "skopeo", "umoci", "setfattr", "mknod", "mkfifo"];

const isInstalled = (tool: string) => spawnSync("sh", ["-c", `command -v ${tool}`]).status === 0;

/** Containers' storage of our own, in a place. */
class Engines {
  private readonly env: NodeJS.ProcessEnv;

  constructor(private readonly place: Place) {
    const paths = `graphroot = "${place.path("storage")}"\nrunroot = "${place.path("run")}"\n`;
    const CONTAINERS_STORAGE_CONF = place.write("storage.conf", `[storage]\ndriver = "overlay"\n${paths}`);
    this.env = { ...process.env, CONTAINERS_STORAGE_CONF, TMPDIR: place.directory };
  }

  run(command: string, ...args: string[]): string {
    const { status, stdout, stderr } = spawnSync(command, args, { env: this.env, encoding: "utf8" });
    assert.equal(status, 0, `${command} ${args.join(" ")}: ${stderr}`);
    return stdout.trim();
  }

  podman = (...args: string[]): string => this.run("podman", "--events-backend=file", ...args);

  /** Commits a further layer, and returns the image's name. */
  layer(base: string, name: string, change: (root: string) => void, ...config: string[]): string {
    const container = this.run("buildah", "from", base);
    change(this.run("buildah", "mount", container));
    this.run("buildah", "umount", container);
    if (config.length > 0) this.run("buildah", "config", ...config, container);
    this.run("buildah", "commit", "-q", container, name);
    this.run("buildah", "rm", container);
    return name;
  }

  close(): void {
    spawnSync("podman", ["--events-backend=file", "image", "umount", "--all"], { env: this.env });
    spawnSync("umount", [this.place.path("storage/overlay")]);
  }
}

/** The layers that are compared: what the first makes the second changes, the third changes again. */
const LAYERS: ((root: string, run: (command: string, ...args: string[]) => void) => void)[] = [
  (root, run) => {
    for (const name of ["bin", "etc", "dev", "opaque/sub/deep", "gone/sub", "kept", "sticky", "becomes-file", "Ünï"])
      mkdirSync(`${root}/${name}`, { recursive: true });
    copyFileSync("/bin/busybox", `${root}/bin/busybox`);
    linkSync(`${root}/bin/busybox`, `${root}/bin/linked`);
    for (const name of ["sh", "ls"]) symlinkSync("busybox", `${root}/bin/${name}`);
    symlinkSync("/etc/passwd", `${root}/absolute`);
    symlinkSync("../../nowhere", `${root}/dangling`);
    writeFileSync(`${root}/etc/passwd`, "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n");
    for (const name of [
      "opaque/a",
      "opaque/sub/deep/b",
      "gone/c",
      "gone/sub/d",
      "kept/e",
      "becomes-directory",
      "one",
      "two",
    ])
      writeFileSync(`${root}/${name}`, name);
    writeFileSync(`${root}/${"n".repeat(120)}`, "long");
    writeFileSync(`${root}/Ünï/ß\\ "x"\n`, "odd");
    writeFileSync(`${root}/empty`, "");
    run("mknod", "-m", "620", `${root}/dev/console`, "c", "5", "1");
    run("mknod", "-m", "660", `${root}/dev/block`, "b", "259", "300");
    run("mkfifo", "-m", "601", `${root}/dev/fifo`);
    run("chown", "12:34", `${root}/kept`, `${root}/kept/e`, `${root}/dev/fifo`);
    run("chown", "-h", "56:78", `${root}/absolute`);
    run("chmod", "1777", `${root}/sticky`);
    run("chmod", "2750", `${root}/kept`);
    run("setfattr", "-n", "user.text", "-v", "value", `${root}/kept/e`);
    run("setfattr", "-n", "user.binary", "-v", "0xff00800a3d", `${root}/kept/e`);
    run("setfattr", "-n", "user.directory", "-v", "x", `${root}/kept`);
    run(
      "setfattr",
      "-n",
      "security.capability",
      "-v",
      "0x0100000200200080000000000000000000000000",
      `${root}/bin/busybox`,
    );
    writeFileSync(`${root}/bin/setuid`, "x");
    run("chmod", "4711", `${root}/bin/setuid`);
    lutimesSync(`${root}/dangling`, 1_000_000_000.5, 1_000_000_000.5);
    run("touch", "-h", "-d", "2001-02-03 04:05:06.123456789", `${root}/kept/e`, `${root}/absolute`, `${root}/sticky`);
  },
  (root, run) => {
    rmSync(`${root}/opaque`, { recursive: true });
    mkdirSync(`${root}/opaque/sub`, { recursive: true });
    writeFileSync(`${root}/opaque/new`, "new");
    rmSync(`${root}/gone`, { recursive: true });
    rmSync(`${root}/one`);
    rmSync(`${root}/becomes-file`, { recursive: true });
    writeFileSync(`${root}/becomes-file`, "now");
    rmSync(`${root}/becomes-directory`);
    mkdirSync(`${root}/becomes-directory`);
    rmSync(`${root}/bin/ls`);
    symlinkSync("sh", `${root}/bin/ls`);
    linkSync(`${root}/kept/e`, `${root}/kept/linked-later`);
    run("chmod", "600", `${root}/two`);
    run("setfattr", "-x", "user.directory", `${root}/kept`);
    rmSync(`${root}/dev/console`);
    run("touch", "-d", "2010-01-01", `${root}/opaque`);
  },
  (root) => {
    mkdirSync(`${root}/gone`);
    writeFileSync(`${root}/gone/back`, "again");
    rmSync(`${root}/opaque/sub`, { recursive: true });
    writeFileSync(`${root}/one`, "again");
    rmSync(`${root}/becomes-file`);
  },
];

/** Without the root directory itself: these archives say nothing of it, and programs make it as they like. */
const comparable = (root: string): Record<string, Node> => {
  const { ".": _, ...rest } = tree(root);
  return rest;
};

placed("archives by skopeo and podman hold in each store what podman mounts and umoci unpacks", async (place, t) => {
  const missing = TOOLS.filter((tool) => !isInstalled(tool));
  if (missing.length > 0 || !existsSync("/bin/busybox")) return t.skip(`needs ${[...missing, "busybox"].join(", ")}`);
  const engines = new Engines(place);
  const onBtrfs = btrfs();
  const places: Partial<Record<StoreKind, Place>> = {
    overlay: place.store.choose(undefined, () => {}) === "overlay" ? place : undefined,
    btrfs: onBtrfs === undefined ? undefined : new Place(onBtrfs),
    copy: place,
  };
  try {
    const run = (command: string, ...args: string[]) => void engines.run(command, ...args);
    const image = LAYERS.reduce((base, change, i) => {
      const config = i === LAYERS.length - 1 ? ["--cmd", "/bin/sh -c true", "--user", "app", "--label", "a=b"] : [];
      return engines.layer(base, `localhost/layers:${i}`, (root) => change(root, run), ...config);
    }, "scratch");
    const source = `containers-storage:${image}`;
    const oci = place.path("zstd-oci");
    const archives: Record<string, (path: string) => void> = {
      "skopeo-docker": (path) => run("skopeo", "copy", "-q", source, `docker-archive:${path}:localhost/layers:2`),
      "skopeo-oci": (path) => run("skopeo", "copy", "-q", source, `oci-archive:${path}:2`),
      "podman-docker": (path) => engines.podman("save", "-q", "--format", "docker-archive", "-o", path, image),
      "podman-oci": (path) => engines.podman("save", "-q", "--format", "oci-archive", "-o", path, image),
      "buildah-oci": (path) => run("buildah", "push", "-q", image, `oci-archive:${path}:2`),
      "buildah-docker": (path) => run("buildah", "push", "-q", image, `docker-archive:${path}:localhost/layers:2`),
      "skopeo-zstd": (path) => {
        run("skopeo", "copy", "-q", "--dest-compress-format", "zstd", source, `oci:${oci}:2`);
        run("tar", "-C", oci, "-cf", path, ".");
      },
    };
    const mounted = comparable(engines.podman("image", "mount", image));
    run("skopeo", "copy", "-q", source, `oci:${place.path("oci")}:2`);
    run("umoci", "unpack", "--image", `${place.path("oci")}:2`, place.path("unpacked"));
    assert.deepEqual(comparable(place.path("unpacked/rootfs")), mounted, "umoci");
    assert.ok("gone/back" in mounted && !("gone/c" in mounted) && !("opaque/a" in mounted));
    for (const [name, write] of Object.entries(archives)) {
      const tarball = place.path(`${name}.tar`);
      write(tarball);
      for (const store of KINDS) {
        const there = places[store];
        if (there === undefined) continue;
        const output = there.path(`${name}-${store}`);
        await makeBundle(
          there.store,
          { tarball, output, name: undefined, platform: undefined, store, run: RUN },
          there.task(),
        );
        assert.deepEqual(comparable(`${output}/rootfs`), mounted, `${name}, ${store}`);
        const { process, annotations } = configOf(output);
        assert.deepEqual([process.args, process.user.uid, annotations.a], [["/bin/sh", "-c", "true"], 1000, "b"]);
      }
    }
    for (const there of Object.values(places)) assert.deepEqual(there.warnings, []);
  } finally {
    places.btrfs?.remove();
    engines.close();
  }
});
