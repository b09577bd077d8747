import { ffi } from "../ffi/driver.js";
import type { Compiled } from "../init/compile.js";
import { input } from "../init/facts.js";
import { C } from "../linux/constants.js";
import { close, closeAll, type Fd, fstat } from "../linux/file.js";
import { identityOf } from "../linux/process.js";
import { ignoringNone } from "../linux/signals.js";
import { socketPair } from "../linux/socket.js";
import { attempt, sys } from "../linux/syscall.js";
import { elf } from "../machine/elf.js";
import { stepCount, stepOf, usesMemory } from "../machine/steps.js";
import { createExecutable } from "./executable.js";
import { Init, stepFailure } from "./init.js";
import { madeProcess } from "./made-process.js";
import { placeProgram } from "./native.js";

/** What init, or a process that is added to a container, is started with. */
export interface Launch {
  readonly compiled: Compiled;
  /** The init of the container that the process is added to. */
  readonly process?: Fd;
  /** Descriptors for the program's slots, by the slots' names. Without one, a terminal comes as a message. */
  readonly inputs: Readonly<Record<string, Fd>>;
  /** Namespaces to join, by type: open descriptors. */
  readonly namespaces: Readonly<Record<string, Fd>>;
  /** The directory of the cgroup v2 to start in. */
  readonly cgroup?: Fd;
  readonly preserveFds: number;
}

/**
 * Starts a container's init, or a process that is added to it, which waits for `Init.go` before it executes its
 * program. What goes wrong in it is read from the result. Throws Failure where not even a process could be started.
 */
export function launch({ compiled, process, inputs, namespaces, cgroup, preserveFds }: Launch): Init {
  const { launcher, init: program } = compiled;
  const lowest = 3 + preserveFds;
  const given: Fd[] = [];
  // Descriptors for init lie above those that the container keeps, and stay open when it is executed.
  const give = (fd: Fd): number => {
    const copy = sys("fcntl", fd, C.F_DUPFD, lowest);
    given.push(copy);
    return copy;
  };
  const [ours, theirs] = socketPair();
  // What the caller has left open ends here: init holds nothing of the host that it was not given.
  sys("close_range", lowest, 0xffffffff, C.CLOSE_RANGE_CLOEXEC);
  // An engine may have marked them to be closed; a container keeps them.
  for (let fd = 0; fd < lowest; fd++) attempt("fcntl", fd, C.F_SETFD, 0);
  try {
    const sync = give(theirs);
    const slots: Record<string, number> = { sync, report: sync, context: -1 };
    for (const name in inputs) slots[name] = give(inputs[name]);
    if (usesMemory(program, input.console) && !(input.console in slots)) slots[input.console] = sync;
    const launcherSlots: Record<string, number> = { sync, peer: ours, report: sync, context: -1 };
    for (const type in namespaces) {
      const name = input.namespace(type);
      if (usesMemory(launcher, name)) launcherSlots[name] = namespaces[type];
      if (usesMemory(program, name)) slots[name] = give(namespaces[type]);
    }
    const executable = createExecutable();
    given.push(executable.fd);
    launcherSlots.program = executable.fd;
    const pid = new Uint8Array(8);
    launcherSlots["pid-address"] = ffi.addressOf(pid);
    if (cgroup !== undefined) launcherSlots.cgroup = cgroup;
    if (process !== undefined && usesMemory(launcher, "process")) launcherSlots.process = process;
    const start = placeProgram(launcher, launcherSlots);
    const started = ignoringNone(() => ffi.call(start));
    if (started < 0) throw stepFailure(stepOf([launcher], 1), -started, 1);
    const made = (): Init => {
      const step = (number: number) => stepOf([launcher, program], number);
      return new Init(madeProcess(started, pid), identityOf(fstat(executable.fd)), ours, step);
    };
    try {
      // Meanwhile the processes get to where init is to be.
      executable.write(elf(program, ffi.arch, slots, stepCount(launcher) + 1));
    } catch (error) {
      made().kill();
      throw error;
    }
    return made();
  } catch (error) {
    close(ours);
    throw error;
  } finally {
    closeAll([theirs, ...given]);
  }
}
