import assert from "node:assert/strict";
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { networkFiles, parseHost, resolvConf, writeFiles } from "../../src/net/network-files.js";

const LOCAL = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n";

test("a container knows itself by its addresses", () => {
  const facts = { hostname: "box", nameservers: ["10.0.0.1"], hosts: [parseHost("db:[fd00::5]")], isHost: false };
  const files = networkFiles({ ...facts, addresses: ["10.0.0.23", "fd00::23"] });
  assert.equal(files.hosts, `${LOCAL}10.0.0.23\tbox\nfd00::23\tbox\nfd00::5\tdb\n`);
  assert.equal(files.hostname, "box\n");
  assert.match(files["resolv.conf"], /^nameserver 10\.0\.0\.1\n$/m);
});

test("names are asked of the host's servers, but not of those on the host itself", () => {
  const host =
    "# made by hand\nnameserver 127.0.0.53\nnameserver 10.0.0.1\nnameserver ::1\n search a b\noptions ndots:2\n";
  const here = { nameservers: [], isHost: false };
  assert.equal(resolvConf(here, host, ""), " search a b\noptions ndots:2\nnameserver 10.0.0.1\n");
  // systemd-resolved is on the host itself, and tells whom it asks.
  assert.equal(resolvConf(here, "nameserver 127.0.0.53\nsearch a\n", "nameserver fd00::1\n"), "nameserver fd00::1\n");
  assert.equal(resolvConf(here, "nameserver 127.0.0.53\nsearch a\n", ""), "search a\n");
  assert.equal(
    resolvConf({ ...here, nameservers: ["10.9.9.9"] }, host, ""),
    " search a b\noptions ndots:2\nnameserver 10.9.9.9\n",
  );
  assert.equal(resolvConf({ ...here, isHost: true }, host, ""), host);
});

test("files are written in place, only where the bundle has the directory, and follow no links", (t) => {
  const bundle = mkdtempSync(join(tmpdir(), "fdnet-"));
  t.after(() => rmSync(bundle, { recursive: true }));
  writeFiles(bundle, { hosts: "x" });
  assert.deepEqual(readdirSync(bundle), []);
  mkdirSync(join(bundle, "net"));
  writeFileSync(join(bundle, "net/hosts"), "something longer");
  const { ino } = lstatSync(join(bundle, "net/hosts"));
  writeFiles(bundle, { hosts: "x", hostname: "y" });
  assert.deepEqual(
    ["hosts", "hostname"].map((name) => readFileSync(join(bundle, "net", name), "utf8")),
    ["x", "y"],
  );
  assert.equal(lstatSync(join(bundle, "net/hosts")).ino, ino);
  symlinkSync("/etc/hostname", join(bundle, "net/resolv.conf"));
  assert.throws(() => writeFiles(bundle, { "resolv.conf": "z" }), { name: "Failure", message: /ELOOP/ });
});
