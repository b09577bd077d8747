const WORDS = ["nr", "arch", "ip", "ip.high"];
for (let i = 0; i < 6; i++) WORDS.push(`arg${i}`, `arg${i}.high`);

const TESTS: Record<number, string> = { 21: "==", 37: ">", 53: ">=", 69: "&" };

/** A filter as text, one numbered instruction a line, with jumps by the number of the line that they lead to. */
export function disassemble(filter: Uint8Array): string {
  const words = new Uint32Array(new Uint8Array(filter).buffer);
  const lines = Array.from({ length: words.length / 2 }, (_, at) => {
    const head = words[2 * at] as number;
    const value = words[2 * at + 1] as number;
    return `${String(at).padStart(3)}  ${instruction(at, head, value)}`;
  });
  return `${lines.join("\n")}\n`;
}

function instruction(at: number, head: number, value: number): string {
  const code = head & 0xffff;
  const line = (skip: number) => String(at + 1 + skip);
  switch (code) {
    case 0x20:
      return `load ${WORDS[value / 4]}`;
    case 0x54:
      return `and ${hex(value)}`;
    case 0x05:
      return `jump ${line(value)}`;
    case 0x06:
      return `return ${hex(value)}`;
    default:
      return `if ${TESTS[code]} ${hex(value)} ${line((head >> 16) & 0xff)} else ${line(head >>> 24)}`;
  }
}

const hex = (value: number): string => (value < 10 ? String(value) : `0x${value.toString(16)}`);
