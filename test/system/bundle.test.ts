import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { StoreDirectory } from "../../src/bundle/store-directory.js";
import { dockerArchive, imageConfig, layer, ociArchive } from "../bundle/archives.js";
import { FDBUNDLE, hasBtrfs, KINDS } from "../bundle/place.js";
import { directory, file, symlink } from "../bundle/tar-writer.js";
import { asRoot, type Scene } from "./harness.js";

const APPLETS = ["cat", "echo", "grep", "id", "ls", "mkdir", "ping", "pwd", "sh", "stat", "touch"];

/** An image of three layers: busybox, users and a volume; what the second brought is hidden by the third. */
const LAYERS = [
  layer([
    directory("bin/"),
    { name: "bin/busybox", content: readBusybox(), mode: 0o755 },
    ...APPLETS.map((name) => symlink(`bin/${name}`, "busybox")),
    directory("proc/"),
    directory("dev/"),
    directory("sys/"),
  ]),
  layer([
    file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001::/home/app:/bin/sh\n"),
    file("etc/group", "root:x:0:\napp:x:1001:\nextra:x:60:app\n"),
    directory("data/", { uid: 1000, mode: 0o750 }),
    file("data/seed", "from the image\n", { uid: 1000 }),
    file("hidden", ""),
    directory("work/"),
  ]),
  layer([file(".wh.hidden", ""), file("work/shown", ""), { name: "extra", flag: "3", device: [1, 7], mode: 0o604 }]),
];

const CONFIG = imageConfig(LAYERS, {
  User: "app",
  WorkingDir: "/work",
  Env: ["FROM=image"],
  Entrypoint: ["sh", "-c"],
  Cmd: ['id; pwd; echo "$FROM $HOME"; ls; ls /; cat /data/seed; echo more >> /data/seed; stat -c %t:%T:%a /extra'],
  Volumes: { "/data": {} },
});

function readBusybox(): Buffer {
  try {
    return readFileSync("/bin/busybox");
  } catch {
    return Buffer.alloc(0);
  }
}

function fdbundle(s: Scene, ...args: string[]): string {
  const [command, ...first] = FDBUNDLE;
  const options = { cwd: s.directory, encoding: "utf8" } as const;
  const { status, stdout, stderr } = spawnSync(command, [...first, "--root", s.path("store"), ...args], options);
  assert.equal(status, 0, stderr);
  return stdout.trim();
}

for (const store of KINDS) {
  const archives = {
    docker: dockerArchive(LAYERS, ["x/image:1"], CONFIG),
    oci: ociArchive(LAYERS, "x/image:1", CONFIG),
  };
  for (const [form, archive] of Object.entries(archives)) {
    asRoot(`an image's tarball becomes a bundle that runs as it is (${form}, ${store})`, (s, t) => {
      if (
        new StoreDirectory(s.path("store"), () => {}).choose(undefined, () => {}) !== "overlay" &&
        store === "overlay"
      )
        return t.skip("needs overlay file systems in the temporary directory");
      if (store === "btrfs") {
        if (!hasBtrfs()) return t.skip("needs btrfs-progs, and btrfs in the kernel");
        fdbundle(s, "store", "init", "--btrfs", s.path("btrfs.img"), "--size", "256M");
      }
      writeFileSync(s.path("image.tar"), archive);
      const bundle = fdbundle(s, "from-tar", "image.tar", "--store", store);
      assert.equal(bundle, s.path("image"));
      try {
        const expected = (seed: string) =>
          `uid=1000(app) gid=1001(app) groups=60(extra),1001(app)\n/work\nimage /home/app\nshown\nbin\ndata\ndev\netc\nextra\nproc\nsys\nwork\n${seed}1:7:604\n`;
        assert.equal(s.fdrunc(["run", "-b", bundle, "one"]).succeeds(), expected("from the image\n"));
        assert.equal(s.fdrunc(["run", "-b", bundle, "two"]).succeeds(), expected("from the image\nmore\n"));
      } finally {
        // Another test may have a mount namespace that has it.
        fdbundle(s, "rm", "--force", bundle);
        if (store === "btrfs") spawnSync("umount", [s.path("store")]);
      }
    });
  }
}

asRoot("what is asked for beside the image holds in the container", (s) => {
  writeFileSync(s.path("image.tar"), dockerArchive(LAYERS, ["x/image:1"], CONFIG));
  writeFileSync(s.path("shared"), "from the host\n");
  const flags = [
    "-u",
    "root",
    "-w",
    "/",
    "--hostname",
    "my-docker",
    "-e",
    "FROM=flags",
    "--read-only",
    "--tmpfs",
    "/tmp",
  ];
  // As docker and podman have profiles: for any architecture, and by capabilities.
  const syscalls = [
    { names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 95, excludes: { caps: ["CAP_SYS_ADMIN"] } },
    { names: ["uname"], action: "SCMP_ACT_KILL_PROCESS", includes: { caps: ["CAP_SYS_ADMIN"] } },
  ];
  const archMap = [{ architecture: "SCMP_ARCH_X86_64" }, { architecture: "SCMP_ARCH_AARCH64" }];
  const profile = { defaultAction: "SCMP_ACT_ALLOW", archMap, syscalls };
  writeFileSync(s.path("profile.json"), JSON.stringify(profile));
  const seccomp = ["--security-opt", `seccomp=${s.path("profile.json")}`];
  const more = [
    "-v",
    `${s.path("shared")}:/shared:ro`,
    "--cap-drop",
    "ALL",
    "--memory",
    "64M",
    "--pids",
    "30",
    "-v",
    "kept:/named",
  ];
  more.push(...seccomp, "--device", "/dev/null:/dev/nothing:r");
  const script =
    "cat /proc/sys/kernel/hostname; echo $FROM; echo x > /x || echo read-only; echo x > /tmp/x && cat /shared; echo kept >> /named/x; cat /named/x; mkdir /tmp/d 2>&1; cat /dev/nothing; " +
    "grep -E '^(CapBnd|Seccomp):' /proc/self/status";
  const args = ["--store", "copy", ...flags, ...more, "--entrypoint", "sh", "image.tar", "--", "-c", script];
  const bundle = fdbundle(s, "from-tar", ...args);
  try {
    const config = JSON.parse(readFileSync(`${bundle}/config.json`, "utf8"));
    config.linux.cgroupsPath = s.config.linux.cgroupsPath;
    writeFileSync(`${bundle}/config.json`, JSON.stringify(config));
    const { stdout } = s.fdrunc(["run", "-b", bundle, "one"]);
    assert.equal(
      stdout,
      "my-docker\nflags\nread-only\nfrom the host\nkept\nmkdir: can't create directory '/tmp/d': Operation not supported\nCapBnd:\t0000000000000000\nSeccomp:\t2\n",
    );
  } finally {
    fdbundle(s, "rm", "--force", bundle);
  }
});
