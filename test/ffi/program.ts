/* A program for the QuickJS form's engine: does what its first argument says, and prints JSON. */
import { ffi, start } from "../../src/ffi/driver.js";
import { observe } from "./observe.js";

const loaded = { text: "é".repeat(3), bytes: Uint8Array.of(1, 2, 3), map: new Map([["a", 1n]]) };

const actions: Record<string, () => unknown> = {
  observe: () => observe(ffi),
  argv: () => ffi.argv.slice(2),
  environ: () => ffi.environ,
  loaded: () => [loaded.text, [...loaded.bytes], String(loaded.map.get("a"))],
  memory,
  regexp: () => /(?<x>a+)b/.exec("caab")?.groups?.x,
  exit: () => ffi.exit(7),
  throw: () => {
    throw new RangeError("thrown on purpose");
  },
};

start(() => {
  const line = ffi.encode(`${JSON.stringify(actions[ffi.argv[1]]())}\n`);
  const WRITE = ffi.arch === "x86_64" ? 1 : 64;
  for (let at = 0; at < line.length; ) at += ffi.syscall(WRITE, 1, line.subarray(at), line.length - at);
});

/** Fills some 50 MB with blocks of all sizes, frees and refills; counts the blocks that lost their content. */
function memory(): number {
  const blocks: Uint8Array[] = [];
  const isLost = (block: Uint8Array, i: number) => {
    for (let at = 0; at < block.length; at += 997) if (block[at] !== i % 251) return true;
    return block.length > 0 && block[block.length - 1] !== i % 251;
  };
  let lost = 0;
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 1500; i++) {
      const old = blocks[i];
      if (old !== undefined && (i + round) % 3 !== 0) continue;
      if (old && isLost(old, i)) lost++;
      const size = i % 50 === 0 ? (i + 1) * 1000 : (i * 37 + round * 1013) % 20000;
      blocks[i] = new Uint8Array(size).fill(i % 251);
    }
  }
  let text = "";
  for (let i = 0; i < 20_000; i++) text += `${i % 10}`;
  const list = Array.from({ length: 20_000 }, (_, i) => ({ i }));
  if (text.length !== 20_000 || list.some(({ i }, at) => i !== at)) lost++;
  return lost + blocks.filter(isLost).length;
}
