import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { Connection, DBusError, type Method } from "../../../src/linux/dbus/connection.js";

/** Starts a bus of the tests' own. Returns its socket's path and what ends it; undefined after the test was skipped for want of it. */
async function startBus(t: TestContext): Promise<[path: string, stop: () => Promise<void>] | undefined> {
  if (spawnSync("dbus-daemon", ["--version"]).error) {
    t.skip("needs dbus-daemon");
    return undefined;
  }
  const directory = mkdtempSync(join(tmpdir(), "fdrunc-dbus-"));
  const path = join(directory, "bus");
  const options = ["--session", "--nofork", "--nopidfile", "--print-address", `--address=unix:path=${path}`];
  const daemon = spawn("dbus-daemon", options, { stdio: ["ignore", "pipe", "ignore"] });
  const ended = once(daemon, "exit");
  const stop = async () => {
    daemon.kill();
    await ended;
    rmSync(directory, { recursive: true, force: true });
  };
  t.after(stop);
  await once(daemon.stdout, "data");
  return [path, stop];
}

const method = (member: string, signature?: string): Method => ({
  destination: "org.freedesktop.DBus",
  path: "/org/freedesktop/DBus",
  interface: "org.freedesktop.DBus",
  member,
  ...(signature !== undefined && { signature }),
});

test("a bus answers calls, and tells errors by name and text", async (t) => {
  const [path] = (await startBus(t)) ?? [];
  if (path === undefined) return;
  const connection = Connection.open(path, "bus");
  try {
    const [names] = connection.call(method("ListNames"));
    assert.ok((names as string[]).includes("org.freedesktop.DBus"));
    assert.deepEqual(connection.call(method("GetConnectionUnixProcessID", "s"), (names as string[])[1]), [process.pid]);
    assert.throws(
      () => connection.call(method("GetNameOwner", "s"), "a.b"),
      (error) =>
        error instanceof DBusError &&
        error.errorName === "org.freedesktop.DBus.Error.NameHasNoOwner" &&
        error.message === "Could not get owner of name 'a.b': no such name",
    );
  } finally {
    connection.close();
  }
});

test("signals that came before or while they are waited for", async (t) => {
  const [path] = (await startBus(t)) ?? [];
  if (path === undefined) return;
  const connection = Connection.open(path, "bus");
  try {
    connection.subscribe("type='signal',member='NameOwnerChanged'");
    connection.call(method("RequestName", "su"), "first.name", 0);
    connection.call(method("RequestName", "su"), "second.name", 0);
    // A call in between takes in what has come.
    connection.call(method("ListNames"));
    const [name, , owner] = connection.waitFor("NameOwnerChanged", ([changed]) => changed === "second.name");
    assert.equal(name, "second.name");
    assert.match(String(owner), /^:1\./);
  } finally {
    connection.close();
  }
});

test("a bus that is not there, and one that goes away", async (t) => {
  assert.throws(() => Connection.open("/nonexistent/bus", "bus"), /connect to "\/nonexistent\/bus": no such file/);
  const [path, stop] = (await startBus(t)) ?? [];
  if (path === undefined) return;
  const connection = Connection.open(path, "bus");
  try {
    await stop?.();
    assert.throws(() => connection.call(method("ListNames")), /the connection was closed|ECONNRESET|EPIPE/);
  } finally {
    connection.close();
  }
});
