import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import type { StoreKind } from "../../src/bundle/bundle-record.js";
import { dockerArchive, layer } from "./archives.js";
import { faultsIn, hasBtrfs, Place, placed } from "./place.js";
import { directory, file } from "./tar-writer.js";
import { names } from "./tree.js";

/** How to make file systems in a file, with the kinds of stores that they are for, and a size in MiB. */
const FILE_SYSTEMS: [type: string, make: string[], size: number, kinds: StoreKind[]][] = [
  ["ext4", ["mkfs.ext4", "-q", "-m", "0", "-N", "400"], 8, ["overlay", "copy"]],
  ["btrfs", ["mkfs.btrfs", "-q", "--mixed"], 32, ["btrfs", "copy"]],
];

/** Runs `use` with a place on a small file system. */
async function onSmallDisk(
  outer: Place,
  [, make, size]: (typeof FILE_SYSTEMS)[number],
  use: (place: Place) => Promise<void>,
): Promise<void> {
  const [image, mountPoint] = [outer.path("disk.img"), outer.path("disk")];
  mkdirSync(mountPoint);
  const [program, ...args] = make;
  const script = 'truncate -s "$1" "$0" && shift && "$@" "$0" && mount -o loop "$0" "$DISK"';
  const env = { ...process.env, DISK: mountPoint };
  const { status, stderr } = spawnSync("sh", ["-c", script, image, `${size}M`, program, ...args], { env });
  assert.equal(status, 0, String(stderr));
  const place = new Place(mountPoint);
  try {
    await use(place);
  } finally {
    place.remove();
    spawnSync("umount", [mountPoint]);
  }
}

/** Fills the disk but for so many bytes. */
function fill(place: Place, left: number): void {
  rmSync(place.path("filling"), { force: true });
  spawnSync("sync", ["-f", place.directory]);
  const { bavail, bsize } = statfsSync(place.directory);
  const size = Math.max(0, bavail * bsize - left);
  spawnSync("dd", [
    "if=/dev/zero",
    `of=${place.path("filling")}`,
    "bs=4k",
    `count=${Math.floor(size / 4096)}`,
    "conv=fsync",
  ]);
}

for (const system of FILE_SYSTEMS) {
  const [type, , , kinds] = system;
  for (const kind of kinds) {
    placed(`a disk that is full ends a conversion, and nothing is left (${kind} on ${type})`, async (outer, t) => {
      if (type === "btrfs" && !hasBtrfs()) return t.skip("needs btrfs-progs, and btrfs in the kernel");
      const content = Buffer.from(Array.from({ length: 100_000 }, (_, i) => i * 7919));
      const layers = [0, 1].map((n) =>
        layer([directory(`d${n}/`), ...[0, 1, 2].map((i) => file(`d${n}/${i}`, content)), file(`s${n}`, "small")]),
      );
      const archive = outer.write("image.tar", dockerArchive(layers));
      const packed = outer.write("image.tar.gz", gzipSync(dockerArchive(layers)));
      await onSmallDisk(outer, system, async (place) => {
        const convert = (tarball: string) => place.fdbundle("from-tar", tarball, "-o", "bundle", "--store", kind);
        // The store's own directories are there.
        assert.equal(place.fdbundle("check").status, 0);
        let failed = 0;
        for (const left of [0, 8, 24, 64, 256, 600, 2000].map((kib) => kib * 1024)) {
          fill(place, left);
          const { status, stderr } = convert(left === 256 * 1024 ? packed : archive);
          if (status === 0) {
            assert.equal(names(place.path("bundle/rootfs")).length, 11);
            break;
          }
          failed++;
          assert.match(
            stderr,
            /^fdbundle: "[^\n]*no space left on device \(ENOSPC\)[^\n]*\n$/,
            `${left} bytes are left`,
          );
          rmSync(place.path("filling"));
          assert.deepEqual(faultsIn(place.store), []);
          place.isClean();
        }
        assert.ok(failed >= 4, `${failed} failed`);
        rmSync(place.path("filling"), { force: true });
        if (readdirSync(place.directory).includes("bundle")) assert.equal(place.fdbundle("rm", "bundle").status, 0);
        // What makes room can be done on a disk that is full.
        assert.equal(convert(archive).status, 0);
        fill(place, 0);
        assert.throws(() => writeFileSync(place.path("more"), Buffer.alloc(1 << 20)), { code: "ENOSPC" });
        assert.deepEqual(place.fdbundle("rm", "bundle"), { status: 0, stdout: "", stderr: "" });
        place.isClean();
      });
    });
  }
}

placed("a disk without room for one more file ends a conversion, and nothing is left", async (outer) => {
  const many = dockerArchive([layer([directory("d/"), ...Array.from({ length: 500 }, (_, i) => file(`d/${i}`))])]);
  const archive = outer.write("image.tar", many);
  await onSmallDisk(outer, FILE_SYSTEMS[0], async (place) => {
    for (const kind of ["overlay", "copy"]) {
      const { status, stderr } = place.fdbundle("from-tar", archive, "-o", "bundle", "--store", kind);
      assert.match(
        stderr,
        /^fdbundle: ".*image.tar": layer 1 .*: entry "d\/\d+": open: no space left on device \(ENOSPC\)\n$/,
      );
      assert.equal(status, 1);
      place.isClean();
    }
  });
});
