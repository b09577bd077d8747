import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { CGROUP_MODES, KINDS, REQUEST, RESPONSE } from "../../src/criu/messages.js";
import { decode, encode } from "../../src/criu/protobuf.js";
import { asRoot, type Result, type Scene } from "./harness.js";

/**
 * A stand-in for criu: keeps what it is asked in a file, says that the kernel has all, and ends without an answer to
 * all else. It shows that a flag reaches criu, whose own affair is what it does about it.
 */
function standIn(s: Scene): void {
  mkdirSync(s.path("bin"));
  const features = encode(RESPONSE, {
    type: KINDS["feature-check"],
    success: true,
    features: { mem_track: true, lazy_pages: true },
  });
  writeFileSync(s.path("features"), features);
  const script = `#!${process.execPath}
const { readFileSync, readSync, writeFileSync, writeSync } = require("node:fs");
const socket = Number(process.argv[3]);
const bytes = Buffer.alloc(65536);
const request = bytes.subarray(0, readSync(socket, bytes));
if (request[1] === ${KINDS["feature-check"]}) writeSync(socket, readFileSync(${JSON.stringify(s.path("features"))}));
else writeFileSync(${JSON.stringify(s.path("request"))}, request);
`;
  writeFileSync(s.path("bin/criu"), script, { mode: 0o755 });
}

/** What criu is asked by a command: its type, and its options. */
function asked(s: Scene, command: string, ...flags: string[]): [number | undefined, Record<string, unknown>] {
  writeFileSync(s.path("request"), "");
  call(s, command, flags).fails();
  const { type, opts } = decode(REQUEST, readFileSync(s.path("request")));
  return [type, opts ?? {}];
}

const call = (s: Scene, command: string, flags: string[]): Result =>
  s.fdrunc([command, "--image-path", s.path("image"), ...flags, "c"], {
    cwd: flags.includes("--bundle") ? "/" : s.bundle,
    env: { PATH: `${s.path("bin")}:${process.env.PATH}` },
  });

/** Flags of both commands, and what criu is asked with them. */
const SHARED: [flags: string[], option: Record<string, unknown>][] = [
  [["--tcp-established"], { tcp_established: true }],
  [["--ext-unix-sk"], { ext_unix_sk: true }],
  [["--shell-job"], { shell_job: true }],
  [["--file-locks"], { file_locks: true }],
  [["--auto-dedup"], { auto_dedup: true }],
  [["--lazy-pages"], { lazy_pages: true }],
  [["--manage-cgroups-mode", "strict"], { manage_cgroups_mode: CGROUP_MODES.strict }],
];

const part = (options: Record<string, unknown>, like: Record<string, unknown>) =>
  Object.fromEntries(Object.keys(like).map((name) => [name, options[name]]));

asRoot("checkpoint hands its flags to criu", (s) => {
  standIn(s);
  mkdirSync(s.path("before"));
  s.write(({ process }) => {
    process.args = ["sleep", "1000"];
  });
  s.run("c", "--detach").succeeds();
  const [type, without] = asked(s, "checkpoint");
  assert.equal(type, KINDS.dump);
  for (const [flags, option] of [
    ...SHARED,
    [["--parent-path", "../before"], { parent_img: "../before", track_mem: true }],
    [["--leave-running"], { leave_running: true }],
    [["--tcp-skip-in-flight"], { tcp_skip_in_flight: true }],
    [["--link-remap"], { link_remap: true }],
    [["--page-server", "127.0.0.1:27"], { ps: { address: "127.0.0.1", port: 27 } }],
  ] as typeof SHARED) {
    const [, options] = asked(s, "checkpoint", ...flags);
    assert.deepEqual(part(options, option), option, flags[0]);
    assert.notDeepEqual(part(without, option), option, flags[0]);
  }
  assert.equal(asked(s, "checkpoint", "--pre-dump")[0], KINDS["pre-dump"]);
  assert.equal(asked(s, "checkpoint", "--work-path", s.path("work"))[1].log_file, "dump.log");
  assert.ok(existsSync(s.path("work")));
  assert.match(call(s, "checkpoint", ["--status-fd", "77"]).fails(), /^--status-fd 77: not open$/);
  assert.equal(s.status(), "running");
});

asRoot("restore hands its flags to criu", (s) => {
  standIn(s);
  mkdirSync(s.path("image"));
  writeFileSync(s.path("image/descriptors.json"), '["/dev/null","/dev/null","/dev/null"]');
  const [type, without] = asked(s, "restore");
  assert.equal(type, KINDS.restore);
  for (const [flags, option] of [
    ...SHARED,
    [["--lsm-profile", "apparmor:name"], { lsm_profile: "apparmor:name" }],
    [["--lsm-mount-context", "u:r:t:s0"], { lsm_mount_context: "u:r:t:s0" }],
  ] as typeof SHARED) {
    const [, options] = asked(s, "restore", ...flags);
    assert.deepEqual(part(options, option), option, flags[0]);
    assert.notDeepEqual(part(without, option), option, flags[0]);
  }
  asked(s, "restore", "--work-path", s.path("work"));
  assert.equal(asked(s, "restore", "--bundle", s.bundle)[0], KINDS.restore);
  assert.match(call(s, "restore", ["--empty-ns", "ipc"]).fails(), /--empty-ns.*"network"/);
  assert.ok(existsSync(s.path("work")));
  assert.deepEqual(s.leftovers(), []);
});
