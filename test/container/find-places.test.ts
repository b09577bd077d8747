import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { findPlaces } from "../../src/container/find-places.js";
import type { Config, Device, Mount, Namespace } from "../../src/generated/config.js";

/** The links of an image, by path: what they say. */
const LINKS = {
  "etc/resolv.conf": "../run/resolve/stub.conf",
  "etc/mtab": "/proc/mounts",
  "var/run": "/run",
  one: "two",
  two: "/three/./x//y/..",
  out: "../../../../outside",
  to: "directory/file",
  home: "/directory",
  self: "self",
  circle: "missing/../circle",
  deep: "/one/more",
};

/** A bundle with these links, `directory/file`, and beside its root file system a directory `host` with a link. */
function makeBundle(t: TestContext): string {
  const bundle = mkdtempSync(join(tmpdir(), "fdrunc-"));
  t.after(() => rmSync(bundle, { recursive: true }));
  for (const name of ["rootfs/etc", "rootfs/var", "rootfs/directory", "host"])
    mkdirSync(join(bundle, name), { recursive: true });
  writeFileSync(join(bundle, "rootfs/directory/file"), "");
  for (const [path, target] of Object.entries(LINKS)) symlinkSync(target, join(bundle, "rootfs", path));
  symlinkSync("/var/gone", join(bundle, "host/link"));
  return bundle;
}

const VERSION = { ociVersion: "1.3.0" };

/** Where mounts lead, by their destinations. */
function placesIn(bundle: string, mounts: Mount[]): Record<string, string> {
  const places = findPlaces({ ...VERSION, mounts }, bundle, join(bundle, "rootfs"));
  return Object.fromEntries(
    mounts.flatMap(({ destination }, i) => {
      const place = places.get(`mounts[${i}].destination`);
      return place === undefined ? [] : [[destination, place]];
    }),
  );
}

const tmpfs = (destination: string, ...options: string[]): Mount => ({ destination, type: "tmpfs", options });
const bind = (destination: string, source: string): Mount => ({ destination, source, options: ["rbind"] });

test("links in destinations are followed inside the root, to what is missing, too", (t) => {
  const bundle = makeBundle(t);
  const cases: [destination: string, place: string | undefined][] = [
    ["/directory", undefined],
    ["/directory/file", undefined],
    ["/missing/deep", undefined],
    ["/directory/file/below", undefined],
    ["/etc/resolv.conf", "/run/resolve/stub.conf"],
    ["/etc/resolv.conf/below", "/run/resolve/stub.conf/below"],
    ["/var/run/x", "/run/x"],
    ["/var/../one/z", "/three/x/z"],
    ["/out", "/outside"],
    ["/to", "/directory/file"],
    ["/home/new/file", "/directory/new/file"],
    ["/deep", "/three/x/more"],
    ["/etc/mtab", "/proc/mounts"],
  ];
  for (const [destination, place] of cases)
    assert.deepEqual(
      placesIn(bundle, [tmpfs(destination)]),
      place === undefined ? {} : { [destination]: place },
      destination,
    );
  for (const type of ["proc", "sysfs"]) assert.deepEqual(placesIn(bundle, [{ destination: "/to", type }]), {});
});

test("links in a circle are refused", (t) => {
  const bundle = makeBundle(t);
  for (const path of ["self", "circle"])
    assert.throws(() => placesIn(bundle, [tmpfs("/tmp"), tmpfs(`/${path}/x`)]), {
      name: "Failure",
      message: `mounts[1].destination: "/${path}/x": too many levels of symbolic links (ELOOP)`,
    });
});

test("the mounts before hide links, and show others", (t) => {
  const bundle = makeBundle(t);
  assert.deepEqual(placesIn(bundle, [tmpfs("/etc"), tmpfs("/etc/resolv.conf")]), {});
  const copied = placesIn(bundle, [tmpfs("/etc", "tmpcopyup"), tmpfs("/etc/resolv.conf")]);
  assert.deepEqual(copied, { "/etc/resolv.conf": "/run/resolve/stub.conf" });
  const shown = placesIn(bundle, [bind("/etc", "host"), tmpfs("/etc/link"), bind("/etc/resolv.conf", "host")]);
  assert.deepEqual(shown, { "/etc/link": "/var/gone" });
  // A link to where something is mounted leads into it; what covers that later, hides it.
  const mounts = [bind("/run", join(bundle, "host")), tmpfs("/var/run/link"), tmpfs("/run"), bind("/run/link/x", "/")];
  assert.deepEqual(placesIn(bundle, mounts), { "/var/run/link": "/var/gone" });
  const led = [tmpfs("/one"), tmpfs("/one/two")];
  assert.deepEqual(placesIn(bundle, led), { "/one": "/three/x", "/one/two": "/three/x/two" });
});

/** All places that a config has. */
const allPlaces = (bundle: string, config: Omit<Config, "ociVersion">): Record<string, string> =>
  Object.fromEntries(findPlaces({ ...VERSION, ...config }, bundle, join(bundle, "rootfs")));

const namespaces: Namespace[] = [{ type: "mount" }];
const pipes = (...paths: string[]): Device[] => paths.map((path) => ({ type: "p", path }));

test("so are those in the directories of devices, and in the working directory", (t) => {
  const config = {
    mounts: [tmpfs("/var/run")],
    linux: { namespaces, devices: pipes("/one/null", "/self", "/var/run/null", "/null") },
    process: { cwd: "/out/work" },
  };
  assert.deepEqual(allPlaces(makeBundle(t), config), {
    "mounts[0].destination": "/run",
    "linux.devices[0].path": "/three/x/null",
    "linux.devices[2].path": "/run/null",
    "process.cwd": "/outside/work",
  });
});

test("/dev may be a link, too", (t) => {
  const bundle = makeBundle(t);
  symlinkSync("made", join(bundle, "rootfs/dev"));
  const linux = { namespaces, devices: pipes("/dev/pipe") };
  const places = { "/dev": "/made", "linux.devices[0].path": "/made/pipe" };
  assert.deepEqual(allPlaces(bundle, { linux }), places);
  const mounts = [tmpfs("/dev")];
  assert.deepEqual(allPlaces(bundle, { linux, mounts }), { "mounts[0].destination": "/made", ...places });
  assert.deepEqual(allPlaces(bundle, { linux, mounts: [bind("/dev", "host")] }), {
    "mounts[0].destination": "/made",
    "/dev": "/made",
  });
  rmSync(join(bundle, "rootfs/dev"));
  symlinkSync("dev", join(bundle, "rootfs/dev"));
  const message = 'root.path: "/dev": too many levels of symbolic links (ELOOP)';
  assert.throws(() => allPlaces(bundle, { linux }), { name: "Failure", message });
});

test("what is not made is not looked for", (t) => {
  const bundle = makeBundle(t);
  symlinkSync("/dev", join(bundle, "rootfs/devices"));
  const devices = pipes("/self/pipe");
  assert.deepEqual(allPlaces(bundle, { linux: { devices }, process: { cwd: "/self" } }), {});
  const mounts = [bind("/devices", "host")];
  assert.deepEqual(allPlaces(bundle, { linux: { namespaces, devices }, mounts }), { "mounts[0].destination": "/dev" });
  assert.throws(
    () => allPlaces(bundle, { linux: { namespaces, devices } }),
    /^Failure: linux\.devices\[0\]\.path: .*ELOOP/,
  );
});
