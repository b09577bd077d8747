import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { parseConfig } from "../../src/config/load.js";
import { dockerArchive, imageConfig, layer } from "./archives.js";
import { configOf, Place, placed } from "./place.js";
import { directory, file, symlink } from "./tar-writer.js";
import { tree } from "./tree.js";

const PASSWD = `root:x:0:0:root:/root:/bin/sh
app:x:1000:1001::/home/app:/bin/sh
nohome:x:1002:1002:::
broken:x:many
`;
const GROUP = "root:x:0:\nstaff:x:50:app,other\nextra:x:60:other,app\nwheel:x:10:root\n";
const BASE = layer([
  file("etc/passwd", PASSWD),
  file("etc/group", GROUP),
  directory("data/", { mode: 0o750, uid: 1000 }),
  file("data/seed", "seed"),
]);

/** The config.json of an image whose configuration has this. */
async function convert(place: Place, config: object, more: object = {}, layers = [BASE]) {
  const bundle = await place.convert(dockerArchive(layers, ["x/name:1"], { ...imageConfig(layers, config), ...more }));
  // What we write must be what we load.
  parseConfig("config.json", readFileSync(`${bundle}/config.json`, "utf8"));
  return { ...configOf(bundle), bundle };
}

placed("users and groups, by name and number", async (place) => {
  const cases: Record<string, [uid: number, gid: number, groups: number[], home: string]> = {
    "": [0, 0, [0, 10], "/root"],
    root: [0, 0, [0, 10], "/root"],
    app: [1000, 1001, [1001, 50, 60], "/home/app"],
    "1000": [1000, 1001, [1001, 50, 60], "/home/app"],
    "app:staff": [1000, 50, [50], "/home/app"],
    "app:7": [1000, 7, [7], "/home/app"],
    "1000:0": [1000, 0, [0], "/home/app"],
    "4000": [4000, 0, [0], "/"],
    "4000:extra": [4000, 60, [60], "/"],
    ":staff": [0, 50, [50], "/root"],
    nohome: [1002, 1002, [1002], "/"],
  };
  for (const [User, [uid, gid, additionalGids, home]] of Object.entries(cases)) {
    const { process } = await convert(place, { User, Cmd: ["x"] });
    assert.deepEqual(process.user, { uid, gid, additionalGids }, User);
    assert.ok(process.env.includes(`HOME=${home}`), User);
  }
  const archive = (User: string) => dockerArchive([BASE], [], imageConfig([BASE], { User, Cmd: ["x"] }));
  const wrong = new Place();
  try {
    for (const user of ["nobody", "broken", "-1", "4294967295", "1.5", "0x0"])
      await wrong.refusesArchive(
        archive(user),
        new RegExp(`user "${user}": the image's /etc/passwd has none of that name`),
      );
    await wrong.refusesArchive(archive("app:nogroup"), /group "nogroup": the image's \/etc\/group has none/);
  } finally {
    wrong.remove();
  }
});

placed("the image's files of users are looked for inside the image", async (place) => {
  const linked = layer([symlink("etc/passwd", "/../../lib/passwd"), file("lib/passwd", "app:x:77:78::/a:\n")]);
  assert.deepEqual((await convert(place, { User: "app" }, {}, [linked])).process.user, {
    uid: 77,
    gid: 78,
    additionalGids: [78],
  });
  // What never ends, or never begins, is not read.
  for (const flag of ["3", "6"]) {
    const node = layer([{ name: "etc/passwd", flag, device: [1, 5] }]);
    assert.deepEqual((await convert(place, { User: "5" }, {}, [node])).process.user.uid, 5);
  }
});

placed("program, environment and directory", async (place) => {
  const path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  const { process, hostname, root, mounts } = await convert(place, {
    Entrypoint: ["/entry", "a"],
    Cmd: ["b", "c d"],
    Env: ["A=b", "HOME=/elsewhere"],
    WorkingDir: "work/./dir",
  });
  assert.deepEqual(process.args, ["/entry", "a", "b", "c d"]);
  assert.deepEqual(process.env, [path, "A=b", "HOME=/elsewhere"]);
  assert.deepEqual([process.cwd, process.terminal, process.noNewPrivileges], ["/work/dir", undefined, undefined]);
  assert.deepEqual([hostname, root], ["name", { path: "rootfs" }]);
  assert.equal(mounts.length, 7);

  const other = await convert(place, { Cmd: ["x"], Env: ["PATH=/p", "HOMER=1"], Hostname: "box_1" });
  assert.deepEqual(other.process.env, ["PATH=/p", "HOMER=1", "HOME=/root"]);
  assert.deepEqual([other.process.cwd, other.hostname], ["/", "box-1"]);
  assert.deepEqual(place.warnings, []);
  assert.deepEqual((await convert(place, {})).process.args, ["/bin/sh"]);
  assert.match(place.warnings[0], /the image names no program to run: \/bin\/sh will be run/);
});

placed("an image without a configuration of how to run it", async (place) => {
  const { process } = await convert(place, {}, { config: undefined });
  assert.deepEqual([process.args, process.cwd], [["/bin/sh"], "/"]);
});

placed("annotations: labels come before what is implied", async (place) => {
  const labels = {
    l: "v",
    "org.opencontainers.image.os": "mine",
    "org.systemd.property.ExecStart": "x",
    "run.oci.hooks": "y",
  };
  const config = { Cmd: ["x"], Labels: labels, StopSignal: "SIGQUIT", ExposedPorts: { "80/tcp": {}, "53/udp": {} } };
  const more = {
    author: "A",
    created: "2020-01-01T00:00:00Z",
    variant: "v8",
    "os.version": "1",
    "os.features": ["f", "g"],
  };
  const { annotations } = await convert(place, config, more);
  assert.deepEqual(annotations, {
    l: "v",
    "org.opencontainers.image.architecture": process.arch === "arm64" ? "arm64" : "amd64",
    "org.opencontainers.image.author": "A",
    "org.opencontainers.image.created": "2020-01-01T00:00:00Z",
    "org.opencontainers.image.exposedPorts": "80/tcp,53/udp",
    "org.opencontainers.image.os": "mine",
    "org.opencontainers.image.os.features": "f,g",
    "org.opencontainers.image.os.version": "1",
    "org.opencontainers.image.stopSignal": "SIGQUIT",
    "org.opencontainers.image.variant": "v8",
  });
  assert.equal(place.warnings.length, 2);
  assert.match(place.warnings[0], /label "org.systemd.property.ExecStart" is left out: it acts on the host/);
});

placed("volumes are directories of the bundle that begin as the image has them", async (place) => {
  const { mounts, bundle } = await convert(place, { Cmd: ["x"], Volumes: { "/data": {}, new: {} } });
  assert.deepEqual(mounts.slice(7), [
    { destination: "/data", type: "bind", source: "volumes/0", options: ["rbind", "rw"] },
    { destination: "/new", type: "bind", source: "volumes/1", options: ["rbind", "rw"] },
  ]);
  const seeded = tree(`${bundle}/volumes/0`);
  assert.deepEqual(seeded, tree(`${bundle}/rootfs/data`));
  assert.deepEqual(Object.keys(seeded), [".", "seed"]);
  assert.deepEqual(Object.keys(tree(`${bundle}/volumes/1`)), ["."]);
  const outside = layer([symlink("v", "/../../../../../etc")]);
  const linked = await convert(place, { Cmd: ["x"], Volumes: { "/v": {} } }, {}, [outside]);
  assert.deepEqual(Object.keys(tree(`${linked.bundle}/volumes/0`)), ["."]);
});

placed("configurations that are wrong", async (place) => {
  const cases: [config: object, more: object, reason: RegExp][] = [
    [{ Env: "A=b" }, {}, /\.json": \$\.config\.Env: not an array/],
    [{ Cmd: ["a", 1] }, {}, /\$\.config\.Cmd\[1\]: not a string/],
    [{ Cmd: ["a\0b"] }, {}, /\$\.config\.Cmd\[0\]: not a string/],
    [{ Labels: { a: 1 } }, {}, /\$\.config\.Labels\.a: not a string/],
    [{}, { rootfs: { type: "other", diff_ids: [] } }, /\$\.rootfs\.type: not "layers"/],
    [{}, { rootfs: undefined }, /\$\.rootfs: missing: an object/],
    [{}, { rootfs: { type: "layers", diff_ids: ["sha256:0"] } }, /\$\.rootfs\.diff_ids\[0\]: not a digest/],
    [{ Volumes: { "/etc/passwd": {} } }, {}, /volume "\/etc\/passwd"/],
  ];
  for (const [config, more, reason] of cases)
    await place.refusesArchive(dockerArchive([BASE], [], { ...imageConfig([BASE], config), ...more }), reason);
});
