import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import type { Device } from "../../src/generated/config.js";
import { asRoot, type Scene } from "./harness.js";

/** The files in the container's /dev: type, octal mode, owner, device number in hexadecimal, by path. */
function devicesOf(s: Scene, paths: readonly string[], devices: Device[] = []): Record<string, string> {
  const out = s.sh(`stat -c '%n %F %a %u:%g %t:%T' ${paths.join(" ")}`, ({ linux }) => {
    linux.devices = devices;
  });
  return Object.fromEntries(
    out
      .trimEnd()
      .split("\n")
      .map((line) => [line.split(" ")[0], line.replace(/^\S+ /, "")]),
  );
}

const DEFAULT = ["null", "zero", "full", "random", "urandom", "tty"].map((name) => `/dev/${name}`);

asRoot("the default devices and links are there, and work", (s) => {
  assert.deepEqual(devicesOf(s, DEFAULT), {
    "/dev/null": "character special file 666 0:0 1:3",
    "/dev/zero": "character special file 666 0:0 1:5",
    "/dev/full": "character special file 666 0:0 1:7",
    "/dev/random": "character special file 666 0:0 1:8",
    "/dev/urandom": "character special file 666 0:0 1:9",
    "/dev/tty": "character special file 666 0:0 5:0",
  });
  const links = s.sh("cd /dev; for f in fd stdin stdout stderr core ptmx; do readlink $f; done; ls");
  assert.equal(
    links,
    "/proc/self/fd\n/proc/self/fd/0\n/proc/self/fd/1\n/proc/self/fd/2\n/proc/kcore\npts/ptmx\n" +
      "core\nfd\nfull\nmqueue\nnull\nptmx\npts\nrandom\nshm\nstderr\nstdin\nstdout\ntty\nurandom\nzero\n",
  );
  assert.equal(
    s.sh("head -c 3 /dev/zero | od -An -tx1; head -c 9 /dev/urandom | wc -c; echo > /dev/null"),
    " 00 00 00\n9\n",
  );
});

asRoot("configured devices: type, number, mode, owner; in /dev, below it and elsewhere", (s) => {
  const devices: Device[] = [
    { type: "c", path: "/dev/fuse", major: 10, minor: 229, fileMode: 0o640, uid: 12, gid: 34 },
    { type: "b", path: "/dev/below/it/disk", major: 4095, minor: 1048575, fileMode: 0o600 },
    { type: "p", path: "/dev/pipe", fileMode: 0o622, uid: 5 },
    // As podman writes it: with the type's bits.
    { type: "c", path: "/dev/zero2", major: 1, minor: 5, fileMode: 0o20620 },
    { type: "u", path: "/elsewhere/unbuffered", major: 1, minor: 5 },
    { type: "c", path: "/dev/null", major: 1, minor: 3, fileMode: 0o600, uid: 7, gid: 8 },
  ];
  assert.deepEqual(
    devicesOf(
      s,
      devices.map(({ path }) => path),
      devices,
    ),
    {
      "/dev/fuse": "character special file 640 12:34 a:e5",
      "/dev/below/it/disk": "block special file 600 0:0 fff:fffff",
      "/dev/pipe": "fifo 622 5:0 0:0",
      "/dev/zero2": "character special file 620 0:0 1:5",
      "/elsewhere/unbuffered": "character special file 666 0:0 1:5",
      "/dev/null": "character special file 600 7:8 1:3",
    },
  );
});

asRoot("a device file that is in the image is used where it is the same, and refused where it is another", (s) => {
  mkdirSync(`${s.rootfs}/here`);
  assert.equal(spawnSync("mknod", [`${s.rootfs}/here/zero`, "c", "1", "5"]).status, 0);
  const device = { type: "c", path: "/here/zero", major: 1, minor: 5 } as const;
  assert.match(devicesOf(s, ["/here/zero"], [device])["/here/zero"], /^character special file \d+ 0:0 1:5$/);
  s.write(({ linux }) => {
    linux.devices = [{ ...device, minor: 7 }];
  });
  assert.match(
    s.run().fails(),
    /^linux\.devices\[0\]: make device "\/here\/zero" \(step \d+\): file exists \(EEXIST\)$/,
  );
});

asRoot("a device that is bound in a user namespace is the one that the config names, or refused", (s) => {
  // Makes the directories that another root may not make.
  s.sh("true");
  const device = { type: "c", path: "/dev/zero", major: 1, minor: 5 } as const;
  const write = (other: Partial<Device>) =>
    s.write(({ linux, process }) => {
      linux.namespaces.push({ type: "user" });
      linux.uidMappings = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
      linux.gidMappings = linux.uidMappings;
      process.args = ["stat", "-c", "%t:%T", "/dev/zero"];
      linux.devices = [{ ...device, ...other }];
    });
  write({});
  assert.equal(s.run().succeeds(), "1:5\n");
  for (const other of [{ minor: 3 }, { major: 2 }, { type: "b" }] as const) {
    write(other);
    assert.match(
      s.run().fails(),
      /^linux\.devices\[0\]: make device "\/dev\/zero" \(step \d+\): .* \(ENODEV\) \(the host's file of that path is another/,
    );
  }
  assert.deepEqual(s.leftovers(), []);
});

asRoot("device rules: what the container may not open it cannot, the default devices it can", (s) => {
  const names = ["allowed", "minor", "major", "block"];
  const read = `for f in ${names.join(" ")}; do (: < /dev/$f) 2>&1 && echo $f; done`;
  const script = `${read}; (: > /dev/allowed) 2>&1; head -c 1 /dev/zero | wc -c`;
  const out = s.sh(script, ({ process, linux }) => {
    process.capabilities = {
      ...process.capabilities,
      bounding: ["CAP_MKNOD"],
      permitted: ["CAP_MKNOD"],
      effective: ["CAP_MKNOD"],
    };
    linux.devices = [
      { type: "c", path: "/dev/allowed", major: 10, minor: 237 },
      { type: "c", path: "/dev/minor", major: 10, minor: 234 },
      // There are no such devices, which shows only where they may be opened.
      { type: "c", path: "/dev/major", major: 240, minor: 237 },
      { type: "b", path: "/dev/block", major: 10, minor: 237 },
    ];
    linux.resources.devices = [
      { allow: false, access: "rwm" },
      { allow: true, type: "c", major: 10, minor: 237, access: "r" },
    ];
  });
  const denied = [...names.slice(1), "allowed"].map((name) => `.*/dev/${name}: Operation not permitted\n`);
  assert.match(out, new RegExp(`^allowed\n${denied.join("")}1\n$`));
});

asRoot("a bound /dev is left as it is", (s) => {
  mkdirSync(s.path("dev"));
  assert.equal(spawnSync("mknod", [s.path("dev/null"), "c", "1", "3"]).status, 0);
  const out = s.sh("ls /dev", (config) => {
    config.mounts = config.mounts.filter(({ destination }) => !destination.startsWith("/dev"));
    config.mounts.push({ destination: "/dev", source: s.path("dev"), type: "bind", options: ["rbind"] });
  });
  assert.equal(out, "null\n");
});
