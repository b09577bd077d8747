import type { Config, Seccomp, SeccompAction } from "../../generated/config.js";
import { ANNOTATIONS } from "../annotations.js";
import { wrong } from "../explain.js";

/** The largest data of the actions that have any: MAX_ERRNO and SECCOMP_RET_DATA of the kernel. seccomp(2) */
const LARGEST_DATA: { [action in SeccompAction]?: number } = { SCMP_ACT_ERRNO: 4095, SCMP_ACT_TRACE: 65535 };

/** The number of a system call's arguments. */
const ARGUMENTS = 6;

/** Whether system calls are put before someone outside of the container, who decides on them. */
export const notifies = ({ syscalls = [] }: Seccomp): boolean =>
  syscalls.some(({ action }) => action === "SCMP_ACT_NOTIFY");

/** config-linux.md, "Seccomp". */
export function seccompIsConsistent({ linux }: Config): void {
  const seccomp = linux?.seccomp;
  if (seccomp === undefined) return;
  const { defaultAction, defaultErrnoRet, syscalls = [] } = seccomp;
  checkData("linux.seccomp.defaultErrnoRet", defaultAction, defaultErrnoRet);
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

const NOTIFY = "SCMP_ACT_NOTIFY";
const WAIT_KILLABLE = "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV";

/** What a filter that notifies needs, and what goes only with one. seccomp_unotify(2) */
export function notificationsAreReceived({ linux, annotations = {} }: Config): void {
  const seccomp = linux?.seccomp;
  if (seccomp === undefined) return;
  const { defaultAction, listenerMetadata, listenerPath, flags = [], syscalls = [] } = seccomp;
  const receiver = annotations[ANNOTATIONS.seccompReceiver];
  if (listenerMetadata && !listenerPath)
    throw wrong("linux.seccomp.listenerPath", "is required beside listenerMetadata");
  if (listenerPath && !listenerPath.startsWith("/"))
    throw wrong("linux.seccomp.listenerPath", "must be an absolute path", listenerPath);
  if (defaultAction === NOTIFY)
    throw wrong("linux.seccomp.defaultAction", `${NOTIFY} cannot be used as default action`);
  syscalls.forEach(({ action, names }, i) => {
    if (action !== NOTIFY) return;
    // By it the listener's number is told, when there is nobody yet to answer.
    const index = names.indexOf("write");
    if (index >= 0)
      throw wrong(`linux.seccomp.syscalls[${i}].names[${index}]`, `${NOTIFY} cannot be used for the write syscall`);
    if (!listenerPath && receiver === undefined)
      throw wrong("linux.seccomp.listenerPath", `is required for ${NOTIFY} of linux.seccomp.syscalls[${i}]`);
  });
  const flag = flags.indexOf(WAIT_KILLABLE);
  if (flag >= 0 && !notifies(seccomp))
    throw wrong(`linux.seccomp.flags[${flag}]`, `${WAIT_KILLABLE} needs a system call with ${NOTIFY}`);
}
