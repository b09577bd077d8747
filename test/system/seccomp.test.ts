import assert from "node:assert/strict";
import type { Seccomp, SeccompAction, SeccompArch, SeccompFlag, SeccompOperator } from "../../src/generated/config.js";
import { NUMBERS } from "../../src/seccomp/numbers.js";
import { ARCHITECTURES, FLAGS } from "../../src/seccomp/vocabulary.js";
import { type Result, type Scene, system } from "./harness.js";

/** Runs a script under a filter. */
function under(s: Scene, seccomp: Seccomp, script: string): Result {
  s.write(({ process, linux }) => {
    process.args = ["sh", "-c", script];
    linux.seccomp = seccomp;
  });
  return s.run();
}

/** Signals that are ignored unless somebody waits for them, sent to the shell itself. */
const SIGNALS = [18, 23, 28];
const SEND = SIGNALS.map((number) => `kill -${number} $$ 2>/dev/null && echo ${number}`).join("; ");

/** Those of the signals that can be sent where kill(2) fails on a condition on its second argument. */
function sent(s: Scene, op: SeccompOperator, value: number, valueTwo?: number): number[] {
  const condition = { index: 1, value, op, ...(valueTwo !== undefined && { valueTwo }) };
  const rule = { names: ["kill"], action: "SCMP_ACT_ERRNO" as const, args: [condition] };
  return under(s, { defaultAction: "SCMP_ACT_ALLOW", syscalls: [rule] }, `${SEND}; true`)
    .succeeds()
    .split("\n")
    .filter(Boolean)
    .map(Number);
}

system("each operator compares arguments of system calls", (s) => {
  assert.deepEqual(sent(s, "SCMP_CMP_EQ", 23), [18, 28]);
  assert.deepEqual(sent(s, "SCMP_CMP_NE", 23), [23]);
  assert.deepEqual(sent(s, "SCMP_CMP_LT", 23), [23, 28]);
  assert.deepEqual(sent(s, "SCMP_CMP_LE", 23), [28]);
  assert.deepEqual(sent(s, "SCMP_CMP_GT", 23), [18, 23]);
  assert.deepEqual(sent(s, "SCMP_CMP_GE", 23), [18]);
  // 18 is 0b10010, 23 0b10111, 28 0b11100.
  assert.deepEqual(sent(s, "SCMP_CMP_MASKED_EQ", 0b101, 0b100), [18, 23]);
});

system("each action has its effect on a system call", (s) => {
  const rule = (action: SeccompAction) => ({ names: ["mkdir", "mkdirat"], action });
  const mkdir = (action: SeccompAction) =>
    under(s, { defaultAction: "SCMP_ACT_ALLOW", syscalls: [rule(action)] }, "mkdir /dev/x 2>&1; echo $?").stdout;
  const failed = (why: string) => `mkdir: can't create directory '/dev/x': ${why}\n1\n`;
  assert.equal(mkdir("SCMP_ACT_LOG"), "0\n");
  assert.equal(mkdir("SCMP_ACT_ERRNO"), failed("Operation not permitted"));
  // Nobody traces it.
  assert.equal(mkdir("SCMP_ACT_TRACE"), failed("Function not implemented"));
  // What a shell makes of SIGSYS, which ends one thread or all.
  for (const action of ["KILL", "KILL_THREAD", "KILL_PROCESS", "TRAP"] as const)
    assert.match(mkdir(`SCMP_ACT_${action}`), /^(Bad system call.*\n)?159\n$/, action);
});

system("what no rule names is up to the default action, with its error number", (s) => {
  const names = NUMBERS.SCMP_ARCH_X86_64.concat(" ", NUMBERS.SCMP_ARCH_AARCH64)
    .split(/\s+/)
    .filter((name) => /^[a-z_]/.test(name) && !/^mkdir(at)?$/.test(name));
  const syscalls = [{ names: [...new Set(names)], action: "SCMP_ACT_ALLOW" as const }];
  const mkdir = (defaultErrnoRet: number) =>
    under(s, { defaultAction: "SCMP_ACT_ERRNO", defaultErrnoRet, syscalls }, "mkdir /dev/x 2>&1").stdout;
  assert.match(mkdir(95), /x': .*not supported$/m);
  assert.match(mkdir(28), /x': No space left on device$/m);
  // Logged and allowed: neither is seen by who calls.
  const logged = under(s, { defaultAction: "SCMP_ACT_LOG" }, "mkdir /dev/x; grep Seccomp: /proc/self/status");
  assert.equal(logged.succeeds(), "Seccomp:\t2\n");
});

/** The plan of a container under a filter. */
function planUnder(s: Scene, seccomp: Partial<Seccomp>): string {
  s.write(({ linux }) => {
    const syscalls = [{ names: ["kill"], action: "SCMP_ACT_ERRNO" as const }];
    linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", syscalls, ...seccomp };
  });
  return s.fdrunc(["plan"]).succeeds();
}

system("each flag reaches the kernel", (s) => {
  for (const flag of Object.keys(FLAGS) as SeccompFlag[]) {
    const others = (Object.keys(FLAGS) as SeccompFlag[]).filter((other) => other !== flag);
    const notify = { listenerPath: "/agent", syscalls: [{ names: ["kill"], action: "SCMP_ACT_NOTIFY" as const }] };
    const isNotify = flag.endsWith("KILLABLE_RECV");
    const plan = planUnder(s, { flags: [flag], ...(isNotify && notify) });
    assert.match(plan, new RegExp(`seccomp\\(SECCOMP_SET_MODE_FILTER, [A-Z_|]*${flag}`), flag);
    assert.ok(others.every((other) => isNotify || !plan.includes(other)));
  }
  assert.equal(
    under(s, { defaultAction: "SCMP_ACT_ALLOW", flags: ["SECCOMP_FILTER_FLAG_LOG"] }, "true").succeeds(),
    "",
  );
});

system("rules hold for each architecture that is named", (s) => {
  const instructions = (architectures: SeccompArch[]) =>
    Number(/filter of (\d+) instructions/.exec(planUnder(s, { architectures }))?.[1]);
  const native = instructions([]);
  const own = process.arch === "x64" ? "SCMP_ARCH_X86_64" : "SCMP_ARCH_AARCH64";
  // That of x32 is the same but for its numbers.
  for (const architecture of Object.keys(ARCHITECTURES) as SeccompArch[])
    if (architecture === "SCMP_ARCH_X32") assert.ok(instructions([architecture]) > 0);
    else if (architecture === own) assert.equal(instructions([architecture]), native, architecture);
    else assert.ok(instructions([architecture]) > native, architecture);
});
