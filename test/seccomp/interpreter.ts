/** What a filter did with a system call: its return value, and how many instructions that took. */
export interface Outcome {
  value: number;
  steps: number;
}

/** A system call as a filter sees it: struct seccomp_data. */
export interface Call {
  audit: number;
  number: number;
  args: readonly bigint[];
}

/** The words of struct seccomp_data. */
export function dataOf({ audit, number, args }: Call): Uint32Array {
  const data = new Uint32Array(16);
  data[0] = number;
  data[1] = audit;
  args.forEach((arg, i) => {
    data[4 + 2 * i] = Number(arg & 0xffffffffn);
    data[5 + 2 * i] = Number(arg >> 32n);
  });
  return data;
}

/** A filter as words: one with code and jumps and one with the value for each instruction. */
export const wordsOf = (filter: Uint8Array): Uint32Array => new Uint32Array(new Uint8Array(filter).buffer);

/** Runs a filter, of the instructions that libseccomp or fdrunc write, on the words of a system call. */
export function run(filter: Uint32Array, data: Uint32Array): Outcome {
  let accumulator = 0;
  for (let at = 0, steps = 1; ; at++, steps++) {
    const head = filter[2 * at];
    const value = filter[2 * at + 1];
    if (head === undefined || value === undefined) throw new Error(`the filter ends at ${at} without an action`);
    const jump = (taken: boolean) => {
      at += taken ? (head >> 16) & 0xff : head >>> 24;
    };
    switch (head & 0xffff) {
      case 0x20:
        if (value % 4 !== 0 || value >= 64) throw new Error(`load of offset ${value}`);
        accumulator = data[value / 4] as number;
        break;
      case 0x54:
        accumulator = (accumulator & value) >>> 0;
        break;
      case 0x05:
        at += value;
        break;
      case 0x15:
        jump(accumulator === value);
        break;
      case 0x25:
        jump(accumulator > value);
        break;
      case 0x35:
        jump(accumulator >= value);
        break;
      case 0x45:
        jump((accumulator & value) !== 0);
        break;
      case 0x06:
        return { value, steps };
      default:
        throw new Error(`instruction ${(head & 0xffff).toString(16)} at ${at}`);
    }
  }
}
