import { viewOf } from "./bytes.js";
import { C } from "./constants.js";
import { sys } from "./syscall.js";

/** The kernel's capabilities in the order of their numbers (linux/capability.h, capabilities(7)). */
export const CAPABILITIES: readonly string[] = (
  "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE " +
  "NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN " +
  "SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP " +
  "MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE"
)
  .split(" ")
  .map((name) => `CAP_${name}`);

/** The bit mask of the capabilities named; names that the kernel does not know are left out. */
export function capabilityMask(names: readonly string[] = []): bigint {
  let mask = 0n;
  for (const name of names) {
    const number = CAPABILITIES.indexOf(name);
    if (number >= 0) mask |= 1n << BigInt(number);
  }
  return mask;
}

/** The capabilities that this process is permitted, as a bit mask. capget(2) */
export function permittedCapabilities(): bigint {
  const header = new Uint8Array(8);
  viewOf(header).setUint32(0, C._LINUX_CAPABILITY_VERSION_3, true);
  const data = new Uint8Array(24);
  sys("capget", header, data);
  const view = viewOf(data);
  return BigInt(view.getUint32(4, true)) | (BigInt(view.getUint32(16, true)) << 32n);
}
