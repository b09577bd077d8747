import { hasNamespace } from "../config/rules/namespaces.js";
import type { Config, IOPriority, Process, Scheduler } from "../generated/config.js";
import { C, type ConstantName } from "../linux/constants.js";
import type { SyscallName } from "../linux/syscalls.js";
import type { Builder } from "./builder.js";
import type { Facts } from "./facts.js";

/** A system call that sets how the kernel schedules a process, 0 for the caller; an array is a struct's words. */
export interface SchedulingCall {
  readonly says: string;
  readonly from: string;
  readonly call: SyscallName;
  readonly args: (pid: number) => readonly (number | readonly bigint[])[];
}

const WITHOUT_RIGHT = "real-time scheduling and lower nice values take CAP_SYS_NICE";

/** What may be wrong with scheduling that the kernel refuses, by errno. */
export const SCHEDULING_HINT = {
  EPERM: `${WITHOUT_RIGHT}, and in a cgroup v1 linux.resources.cpu.realtimeRuntime`,
  EACCES: WITHOUT_RIGHT,
  EBUSY: "the CPUs' time is promised to other processes already",
  EOPNOTSUPP: "this kernel has no utilization clamping",
};

/** The calls that make a process scheduled as the config says. sched_setattr(2), ioprio_set(2) */
export function schedulingCalls({ scheduler, ioPriority }: Process): SchedulingCall[] {
  return [
    ...(scheduler === undefined ? [] : schedulerCalls(scheduler)),
    ...(ioPriority === undefined ? [] : [ioPriorityCall(ioPriority)]),
  ];
}

/** Policies whose nice value sched_setattr(2) takes. */
const FAIR = ["SCHED_OTHER", "SCHED_BATCH"];

function schedulerCalls(scheduler: Scheduler): SchedulingCall[] {
  const { policy, nice = 0 } = scheduler;
  const from = "process.scheduler";
  const attributes = schedulerAttributes(scheduler);
  const calls: SchedulingCall[] = [
    {
      says: `set the scheduling policy to ${policy}`,
      from,
      call: "sched_setattr",
      args: (pid) => [pid, attributes, 0],
    },
  ];
  // With the other policies it counts once the process leaves them.
  if (nice !== 0 && !FAIR.includes(policy))
    calls.unshift({
      says: `set the nice value to ${nice}`,
      from: `${from}.nice`,
      call: "setpriority",
      args: (pid) => [C.PRIO_PROCESS, pid, nice],
    });
  return calls;
}

/** struct sched_attr's words: its 32-bit members lie in pairs, the lower half first. */
function schedulerAttributes(scheduler: Scheduler): bigint[] {
  const { policy, nice = 0, priority = 0, flags = [], runtime = 0, deadline = 0, period = 0 } = scheduler;
  const pair = (low: number, high: number) => BigInt.asUintN(32, BigInt(low)) | (BigInt(high) << 32n);
  const bits = flags.reduce((sum, name) => sum | C[name], 0);
  return [
    pair(56, C[policy as ConstantName]),
    BigInt(bits),
    pair(nice, priority),
    BigInt(runtime),
    BigInt(deadline),
    BigInt(period),
    // The specification has no values to clamp the utilization to.
    pair(0, 0),
  ];
}

function ioPriorityCall({ class: name, priority = 0 }: IOPriority): SchedulingCall {
  const value = (C[name] << 13) | priority;
  return {
    says: `set the I/O priority to ${name}, ${priority}`,
    from: "process.ioPriority",
    call: "ioprio_set",
    args: (pid) => [C.IOPRIO_WHO_PROCESS, pid, value],
  };
}

/** In a user namespace init has no right to what takes privileges on the host: there a runtime that has them does it. */
export const isScheduledByRuntime = (config: Config, privileged: boolean): boolean =>
  privileged && hasNamespace(config, "user");

/** Compiles the scheduling, which init sets for itself while it still has the right to. */
export function compileScheduling(b: Builder, config: Config, process: Process, { privileged }: Facts): void {
  if (isScheduledByRuntime(config, privileged)) return;
  for (const { says, from, call, args } of schedulingCalls(process)) {
    b.about(says, from, SCHEDULING_HINT);
    b.call(
      call,
      args(0).map((arg) => (typeof arg === "number" ? arg : { struct: arg })),
    );
  }
}
