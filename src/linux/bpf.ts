import { ffi } from "../ffi/driver.js";
import { concat, cstring, viewOf } from "./bytes.js";
import { C } from "./constants.js";
import { close, type Fd } from "./file.js";
import { attempt, must } from "./syscall.js";

/** As much of union bpf_attr as the commands here use. */
const SIZE = 64;

/** A union bpf_attr of 32-bit words by offset, with data behind it that `pointers` lead to: [offset, place in data]. */
function attributes(
  values: [offset: number, value: number][],
  data: Uint8Array = new Uint8Array(0),
  pointers: [offset: number, place: number][] = [],
): Uint8Array {
  const bytes = concat([new Uint8Array(SIZE), data]);
  const view = viewOf(bytes);
  const address = ffi.addressOf(bytes) + SIZE;
  for (const [offset, value] of values) view.setUint32(offset, value, true);
  for (const [offset, place] of pointers) view.setBigUint64(offset, BigInt(address + place), true);
  return bytes;
}

/** bpf(2). Throws SyscallError. */
const bpf = (command: number, what: string, attribute: Uint8Array): number =>
  must("bpf", what, attempt("bpf", command, attribute, SIZE));

/** Loads a BPF_PROG_TYPE_CGROUP_DEVICE program of these instructions. Throws SyscallError. */
export function loadDeviceProgram(instructions: Uint8Array): Fd {
  const licence = cstring("Apache-2.0");
  const attribute = attributes(
    [
      [0, C.BPF_PROG_TYPE_CGROUP_DEVICE],
      [4, instructions.length / 8],
    ],
    concat([instructions, licence]),
    [
      [8, 0],
      [16, instructions.length],
    ],
  );
  attribute.set(cstring("fdrunc_devices"), 48);
  return bpf(C.BPF_PROG_LOAD, "load a device program", attribute);
}

/** The most device programs that the kernel lets one cgroup have. */
const MAX_PROGRAMS = 64;

/**
 * Makes a program the only device program of a cgroup v2 directory. The ones before it go last: at no time is there
 * none. Throws SyscallError.
 */
export function replaceDevicePrograms(cgroup: Fd, program: Fd): void {
  const target: [number, number] = [0, cgroup];
  const list = attributes([target, [4, C.BPF_CGROUP_DEVICE], [24, MAX_PROGRAMS]], new Uint8Array(4 * MAX_PROGRAMS), [
    [16, 0],
  ]);
  bpf(C.BPF_PROG_QUERY, "list device programs", list);
  const flags: [number, number][] = [
    [8, C.BPF_CGROUP_DEVICE],
    [12, C.BPF_F_ALLOW_MULTI],
  ];
  bpf(C.BPF_PROG_ATTACH, "attach a device program", attributes([target, [4, program], ...flags]));
  const count = viewOf(list).getUint32(24, true);
  for (let i = 0; i < count; i++) {
    const id = viewOf(list).getUint32(SIZE + 4 * i, true);
    const old = bpf(C.BPF_PROG_GET_FD_BY_ID, "open a device program", attributes([[0, id]]));
    try {
      bpf(C.BPF_PROG_DETACH, "detach a device program", attributes([target, [4, old], [8, C.BPF_CGROUP_DEVICE]]));
    } finally {
      close(old);
    }
  }
}
