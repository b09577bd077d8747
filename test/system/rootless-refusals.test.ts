import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  lchownSync,
  mkdirSync,
  readFileSync,
  rmdirSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { cgroupHierarchies, isUnified } from "../../src/cgroup/hierarchy.js";
import { asRoot, FDRUNC, type FullConfig, TAG } from "./harness.js";
import { as, Bundle, giveIds, LACKING, mapRange, OTHER, ordinary, USER } from "./ordinary.js";

ordinary("what the kernel or the administrator refuses is an error, and leaves nothing", (b, t) => {
  const refuses = (change: (config: FullConfig) => void, message: RegExp) => {
    b.write(change);
    assert.match(b.run().fails(), message);
    b.s.assertNothingLeft();
  };
  refuses(({ linux }) => {
    linux.namespaces = linux.namespaces.filter(({ type }) => type !== "user");
    linux.uidMappings = [];
    linux.gidMappings = [];
  }, /^linux\.namespaces: a rootless container requires user namespaces: .* \(`fdrunc spec --rootless` writes/);
  refuses(({ process }) => {
    process.user.additionalGids = [5];
  }, /^process\.user: become user 0, group 0 \(step \d+\): setgroups: .*EPERM.*\(additional groups take /);
  refuses(({ process }) => {
    process.user.uid = 5;
  }, /^process\.user: .*: setresuid: .*EINVAL.*\(are all of these ids mapped by linux\.uidMappings/);
  refuses(({ process }) => {
    process.oomScoreAdj = -500;
  }, /^process\.oomScoreAdj: write .*EACCES.*CAP_SYS_RESOURCE/);
  refuses(({ process }) => {
    process.rlimits = [{ type: "RLIMIT_CORE", soft: 1, hard: 18446744073709551615n }];
    // Not below what the tests themselves run under.
    process.rlimits.push({ type: "RLIMIT_NOFILE", soft: 1, hard: 2_000_000_000 });
  }, /^process\.rlimits\[1\]: .*EPERM.*CAP_SYS_RESOURCE/);
  refuses(({ linux }) => {
    linux.cgroupsPath = `/${TAG}/not-mine`;
  }, /^make cgroup ".*": permission denied \(EACCES\)$/);
  refuses(({ mounts }) => {
    mounts.push({ destination: "/x", type: "bind", source: b.s.bundle, options: ["rbind", "idmap"] });
  }, /^mounts\[\d+\]: map the ids of ".*": open_tree: .*EPERM.*\(it takes root to map ids of mounts\)$/);
  refuses(({ linux }) => {
    linux.resources = { pids: { limit: 10 } };
  }, /^linux\.resources\.pids\.limit: the container could not join or create cgroup: this user may not /);
  if (!giveIds(b, t)) return;
  refuses((config) => {
    mapRange(config);
    config.linux.uidMappings?.push({ containerID: 100_000, hostID: 50, size: 1 });
  }, /^linux\.uidMappings: ".*\/newuidmap": newuidmap: .*not allowed \(does "\/etc\/subuid" give the caller these ids\?\)$/);
  b.write(mapRange);
  const withoutHelpers = b.s.fdrunc(["run", "c"], { under: [...as(USER), "env", "PATH=/nowhere"] });
  assert.match(withoutHelpers.fails(), /^linux\.uidMappings: .* takes newuidmap, which is not in \$PATH \(/);
  const state = b.s.path("other");
  mkdirSync(state);
  chownSync(state, OTHER, OTHER);
  const other = b.s.fdrunc(["--root", state, "run", "c"], { under: as(OTHER) });
  assert.match(other.fails(), /^linux\.uidMappings: ".*\/newuidmap": newuidmap: /);
});

ordinary("`--rootless` says whether to go without the cgroups that may not be made", (b) => {
  b.write(({ linux }) => {
    linux.resources = { devices: [{ allow: false, access: "rwm" }] };
  });
  for (const when of ["true", "auto"]) b.fdrunc(["--rootless", when, "run", "c"]).succeeds();
  assert.match(
    b.fdrunc(["--rootless", "false", "run", "c"]).fails(),
    /^make cgroup ".*": permission denied \(EACCES\)$/,
  );
  assert.match(b.fdrunc(["--rootless", "maybe", "run", "c"]).fails(), /'maybe' is invalid.*true, false, auto/);
  b.s.assertNothingLeft();
});

ordinary("the kernel lets no file in memory be executed", (b, t) => {
  if (spawnSync("strace", ["-V"]).status !== 0) return t.skip("needs strace");
  const failing = [
    "strace",
    "-f",
    "-o",
    b.s.path("trace"),
    "-e",
    "trace=memfd_create",
    "-e",
    "inject=memfd_create:error=EACCES",
  ];
  const { status, stderr } = b.s.fdrunc(["run", "c"], { under: [...failing, ...as(USER)] });
  assert.equal(status, 1);
  assert.match(stderr, /^fdrunc: make init's executable: .* \(`sysctl vm\.memfd_noexec=1` lets it\)\n$/);
  b.s.assertNothingLeft();
});

ordinary("cgroups are made where they have been delegated", (b) => {
  const { s } = b;
  const hierarchies = cgroupHierarchies();
  const unified = isUnified(hierarchies);
  const parents = hierarchies.map(({ mountPoint }) => join(mountPoint, TAG, "user"));
  const own = parents.map((parent) => join(parent, "own"));
  const inherit = (directory: string) => {
    for (const name of unified ? [] : ["cpuset.cpus", "cpuset.mems"]) {
      const file = join(directory, name);
      if (existsSync(file)) writeFileSync(file, readFileSync(join(directory, "..", name), "utf8"));
    }
  };
  try {
    for (const { mountPoint } of hierarchies) inherit(join(mountPoint, TAG));
    for (const directory of [...parents, ...own]) {
      mkdirSync(directory);
      inherit(directory);
      chownSync(directory, USER, USER);
      for (const file of ["tasks", "cgroup.procs", "cgroup.subtree_control"])
        if (existsSync(join(directory, file))) chownSync(join(directory, file), USER, USER);
    }
    if (unified)
      for (const directory of [join(hierarchies[0].mountPoint), join(parents[0], ".."), parents[0]])
        writeFileSync(join(directory, "cgroup.subtree_control"), "+pids");
    const enter = ["sh", "-c", `for d in ${own.join(" ")}; do echo 0 > $d/cgroup.procs || exit; done; exec "$@"`, "sh"];
    const run = (id: string) => s.fdrunc(["run", id], { under: [...enter, ...as(USER)] });
    b.write(({ process, linux }) => {
      process.args = ["cat", "/proc/self/cgroup"];
      linux.resources = { pids: { limit: 5 } };
    });
    // v1's default parent is the runtime's own cgroup, v2's the one above.
    const place = unified ? `/${TAG}/user/c` : `/${TAG}/user/own/c`;
    assert.match(run("c").succeeds(), new RegExp(`^\\d+:${unified ? "" : "pids"}:${place}$`, "m"));
    b.write(({ process, linux }) => {
      process.args = ["cat", "/proc/self/cgroup"];
      linux.resources = { pids: { limit: 5 } };
      linux.cgroupsPath = `/${TAG}/user/elsewhere`;
    });
    assert.match(run("d").succeeds(), new RegExp(`:/${TAG}/user/elsewhere$`, "m"));
  } finally {
    for (const directory of [...own, ...parents]) if (existsSync(directory)) rmdirSync(directory);
  }
  s.assertNothingLeft();
});

ordinary("nothing that belongs to another user is trusted", (b) => {
  const { s } = b;
  const trap = s.path("trap");
  mkdirSync(join(s.state, "c"));
  const saved = { id: "c", pid: 0, startTime: 0, hooks: { poststop: [{ path: "/bin/touch", args: ["touch", trap] }] } };
  writeFileSync(join(s.state, "c/state.json"), JSON.stringify({ ...saved, cgroup: {}, annotations: {} }));
  for (const name of ["c", "c/state.json"]) chownSync(join(s.state, name), OTHER, OTHER);
  chmodSync(s.directory, 0o777);
  for (const command of [
    ["state", "c"],
    ["delete", "--force", "c"],
    ["kill", "c"],
    ["start", "c"],
  ])
    assert.match(b.fdrunc(command).fails(), new RegExp(`: belongs to user ${OTHER} \\(`), command[0]);
  // Root's own rights are worth more than the user's: it trusts the user no more than the user does others.
  assert.match(s.fdrunc(["delete", "--force", "c"]).fails(), /: belongs to user 31001 \(/);
  assert.ok(!existsSync(trap));
  lchownSync(s.state, OTHER, OTHER);
  chmodSync(s.state, 0o777);
  b.write();
  assert.match(b.fdrunc(["run", "d"]).fails(), new RegExp(`: belongs to user ${OTHER} \\(`));
  spawnSync("rm", ["-r", s.state]);
});

/** Runs the bundle without --root. */
function withDefaultRoot(uid: number, env: Record<string, string>, bundle: string) {
  const [command, ...args] = [...as(uid), ...FDRUNC, "run", "--bundle", bundle, `${TAG}-d`];
  return spawnSync(command, args, { encoding: "utf8", env: { PATH: process.env.PATH, ...env } });
}

asRoot("an ordinary user: the state lies in $XDG_RUNTIME_DIR, or in a directory of the user's below /tmp", (s, t) => {
  if (LACKING) return t.skip(LACKING);
  // Nobody else's: the directory is the host's, and named after the user.
  const user = 100_000_000 + process.pid;
  new Bundle(s, as(user), user);
  const runtime = s.path("runtime");
  mkdirSync(runtime);
  chownSync(runtime, user, user);
  const first = withDefaultRoot(user, { XDG_RUNTIME_DIR: runtime }, s.bundle);
  assert.deepEqual([first.status, first.stderr], [0, ""]);
  assert.equal(statSync(join(runtime, "fdrunc")).mode & 0o7777, 0o1700);
  const ofUser = `/tmp/fdrunc-${user}`;
  try {
    const second = withDefaultRoot(user, {}, s.bundle);
    assert.deepEqual([second.status, second.stderr], [0, ""]);
    const { mode, uid } = statSync(ofUser);
    assert.deepEqual([mode & 0o7777, uid], [0o1700, user]);
    // Somebody else was there first.
    chownSync(ofUser, OTHER, OTHER);
    chmodSync(ofUser, 0o777);
    const third = withDefaultRoot(user, {}, s.bundle);
    assert.deepEqual([third.status, third.stdout], [1, ""]);
    assert.match(third.stderr, new RegExp(`^fdrunc: "${ofUser}": belongs to user ${OTHER} \\(.*\\)\n$`));
  } finally {
    rmdirSync(ofUser);
  }
});
