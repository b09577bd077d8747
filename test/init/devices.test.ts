import assert from "node:assert/strict";
import { test } from "node:test";
import type { Mount } from "../../src/generated/config.js";
import { type Parts, sentences, steps } from "./steps.js";

const tmpfs = (destination: string): Mount => ({ destination, type: "tmpfs" });
const bind = (destination: string): Mount => ({ destination, type: "bind", source: "/source" });

/** The parts of a container whose image has the links /d to /dev, or /dev to /made, which its mounts lead through. */
const parts = (mounts: Mount[], places: Record<string, string>, path = "/d/zero"): Parts => ({
  config: { mounts },
  linux: { namespaces: [{ type: "mount" }], devices: [{ type: "c", path, major: 1, minor: 5 }] },
  facts: { places: new Map(Object.entries(places)) },
});

const making = (made: Parts): string[] =>
  sentences(made)
    .filter((sentence) => sentence.startsWith("make device"))
    .sort();

const others = (...without: string[]): string[] =>
  ["full", "null", "random", "tty", "urandom", "zero"]
    .filter((name) => !without.includes(name))
    .map((name) => `make device "/dev/${name}"`);

test("no device is made in what is bound on /dev, whichever link led there", () => {
  assert.deepEqual(making(parts([bind("/dev")], {})), []);
  assert.deepEqual(making(parts([bind("/d")], { "mounts[0].destination": "/dev" })), []);
  assert.deepEqual(making(parts([bind("/dev")], { "mounts[0].destination": "/made", "/dev": "/made" })), []);
  assert.equal(making(parts([bind("/dev")], { "mounts[0].destination": "/made" })).length, 7);
});

test("a device that is configured or mounted takes the place of a default one, whichever link led there", () => {
  const places = { "mounts[0].destination": "/dev/null", "linux.devices[0].path": "/dev/zero" };
  const own = 'make device "/d/zero" (linux.devices[0])';
  assert.deepEqual(making(parts([bind("/d/null")], places)), [own, ...others("null", "zero")].sort());
  const led = {
    "mounts[0].destination": "/made/null",
    "/dev": "/made",
    "linux.devices[0].path": "/made/zero",
  };
  assert.deepEqual(making(parts([bind("/x")], led)), [own, ...others("null", "zero")].sort());
  const doubled = 'make device "/dev//zero" (linux.devices[0])';
  assert.deepEqual(making(parts([], {}, "/dev//zero")), [doubled, ...others("zero")].sort());
});

test("a /dev that was just mounted is known behind a link", () => {
  const seen = (mounts: Mount[], places: Record<string, string>) => steps(/"\/dev\/null"/, parts(mounts, places));
  const certain = ['mknodat(%dev, "null", S_IFCHR|0666, 259)'];
  assert.deepEqual(seen([tmpfs("/dev")], {}), certain);
  assert.deepEqual(seen([tmpfs("/dev/.")], {}), certain);
  assert.deepEqual(seen([tmpfs("/d")], { "mounts[0].destination": "/dev" }), certain);
  assert.deepEqual(seen([tmpfs("/dev")], { "mounts[0].destination": "/made", "/dev": "/made" }), certain);
  assert.equal(seen([], { "/dev": "/made" }).length, 6);
});

test("devices are made where /dev leads, and its own directory is opened once", () => {
  const places = { "/dev": "/made/here", "linux.devices[0].path": "/made/here/own" };
  const made = parts([], places, "/dev/own");
  assert.deepEqual(steps(/^open \/dev$/, made).slice(-1), [
    'openat2(%root, "made/here", {O_PATH|O_DIRECTORY|O_CLOEXEC, 0, RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS}, 24) = %dev',
  ]);
  assert.match(steps(/linux\.devices/, made)[0], /^mknodat\(%dev, "own", S_IFCHR\|0666, 261\)/);
});

test("a device in the root itself leaves the root open", () => {
  const made = parts([], {}, "/zero");
  assert.deepEqual(steps(/linux\.devices/, made).slice(0, 1), [
    'openat2(%root, ".", {O_PATH|O_DIRECTORY|O_CLOEXEC, 0, RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS}, 24) = %directory',
  ]);
});
