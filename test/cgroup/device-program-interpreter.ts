/**
 * Runs a BPF_PROG_TYPE_CGROUP_DEVICE program, as far as such programs go here: 32-bit loads from the context, moves,
 * masks, shifts and comparisons with constants. Throws where the kernel's verifier would refuse.
 *
 * @param context struct bpf_cgroup_dev_ctx as words: access and type, major, minor
 */
export function runDeviceProgram(code: Uint8Array, context: readonly [number, number, number]): number {
  const view = new DataView(code.buffer, code.byteOffset, code.byteLength);
  const CONTEXT = Symbol();
  const registers: (number | typeof CONTEXT | undefined)[] = [undefined, CONTEXT];
  const number = (register: number): number => {
    const value = registers[register];
    if (typeof value !== "number") throw new Error(`r${register} is no number`);
    return value;
  };
  for (let at = 0; ; at++) {
    if (at * 8 >= code.length) throw new Error("the program ends without exit");
    const [operation, both] = [view.getUint8(at * 8), view.getUint8(at * 8 + 1)];
    const [to, from] = [both & 0xf, both >> 4];
    const offset = view.getInt16(at * 8 + 2, true);
    const constant = view.getInt32(at * 8 + 4, true);
    if (offset < 0) throw new Error("a jump goes back");
    switch (operation) {
      case 0x61: // BPF_LDX | BPF_MEM | BPF_W
        if (registers[from] !== CONTEXT || offset % 4 !== 0 || offset > 8) throw new Error("a load from elsewhere");
        registers[to] = context[offset / 4];
        break;
      case 0xb7: // BPF_ALU64 | BPF_MOV | BPF_K
        registers[to] = constant;
        break;
      case 0xbf: // BPF_ALU64 | BPF_MOV | BPF_X
        registers[to] = number(from);
        break;
      case 0x54: // BPF_ALU | BPF_AND | BPF_K
        registers[to] = (number(to) & constant) >>> 0;
        break;
      case 0x74: // BPF_ALU | BPF_RSH | BPF_K
        registers[to] = number(to) >>> constant;
        break;
      case 0x56: // BPF_JMP32 | BPF_JNE | BPF_K
        if (number(to) !== constant >>> 0) at += offset;
        break;
      case 0x16: // BPF_JMP32 | BPF_JEQ | BPF_K
        if (number(to) === constant >>> 0) at += offset;
        break;
      case 0x95: // BPF_JMP | BPF_EXIT
        return number(0);
      default:
        throw new Error(`unknown operation 0x${operation.toString(16)}`);
    }
  }
}
