import type { Config, SeccompAction } from "../../generated/config.js";
import { wrong } from "../explain.js";

/** The largest data of the actions that have any: MAX_ERRNO and SECCOMP_RET_DATA of the kernel. seccomp(2) */
const LARGEST_DATA: { [action in SeccompAction]?: number } = { SCMP_ACT_ERRNO: 4095, SCMP_ACT_TRACE: 65535 };

/** The number of a system call's arguments. */
const ARGUMENTS = 6;

/** config-linux.md, "Seccomp". */
export function seccompIsConsistent({ linux }: Config): void {
  const seccomp = linux?.seccomp;
  if (seccomp === undefined) return;
  const { defaultAction, defaultErrnoRet, listenerMetadata, listenerPath, syscalls = [] } = seccomp;
  checkData("linux.seccomp.defaultErrnoRet", defaultAction, defaultErrnoRet);
  if (listenerMetadata && !listenerPath)
    throw wrong("linux.seccomp.listenerPath", "is required beside listenerMetadata");
  syscalls.forEach(({ action, errnoRet, args = [] }, i) => {
    if (errnoRet !== undefined) checkData(`linux.seccomp.syscalls[${i}].errnoRet`, action, errnoRet);
    args.forEach(({ index }, j) => {
      if (index >= ARGUMENTS)
        throw wrong(`linux.seccomp.syscalls[${i}].args[${j}].index`, `must be from 0 to ${ARGUMENTS - 1}`, index);
    });
  });
}

function checkData(path: string, action: SeccompAction, data: number | undefined): void {
  if (data === undefined) return;
  const largest = LARGEST_DATA[action];
  if (largest === undefined) throw wrong(path, `must not be set, ${action} has no such number`);
  if (data > largest) throw wrong(path, `must be at most ${largest}`, data);
}
