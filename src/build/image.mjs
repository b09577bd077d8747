/*
 * Puts a script into an engine. The engine, run once, compiles and loads the script and writes its heap; that becomes
 * the first content of the heap in a copy of the executable, which so starts with everything loaded (host.c, heap.c).
 */
import { spawnSync } from "node:child_process";
import { closeSync, openSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { HERE, TARGETS } from "./engine.mjs";
import { Unavailable } from "./unavailable.mjs";

/**
 * @param {keyof TARGETS} architecture
 * @param {string} engine the path of the engine's executable
 * @param {string} script the path of the JavaScript file
 * @param {string} observation the path of a file that tells how commands use the heap's blocks, or empty
 * @param {string} output the path of the executable to write
 * @throws {Unavailable} without the emulator for another machine's engine
 * @throws {Error} with what the engine said, when the script cannot be loaded
 */
export function makeImage(architecture, engine, script, observation, output) {
  const [program, ...args] = architecture === HERE ? [engine] : [TARGETS[architecture].emulator, engine];
  const [input, separation] = [openSync(script, "r"), openSync(observation, "r")];
  const options = { stdio: [input, "pipe", "pipe", separation], maxBuffer: 1 << 28 };
  const { status, signal, error, stdout: heap, stderr } = spawnSync(program, args, options);
  for (const fd of [input, separation]) closeSync(fd);
  if (error?.code === "ENOENT") throw new Unavailable(`there is no ${program}`);
  if (status !== 0) throw new Error(`the engine cannot load "${script}": ${error ?? signal ?? stderr}`);
  const image = withContent(readFileSync(engine), Number(heap.readBigUInt64LE(0)), heap.subarray(16));
  writeFileSync(`${output}.new`, image, { mode: 0o755 });
  renameSync(`${output}.new`, output);
}

/**
 * The executable with `content` at an address in its zero-initialized data: the segment's part in the file grows up to
 * there. The segment is the last in the file; only the section headers come after it, which nobody needs to run it.
 * (ELF-64 header and program header: elf(5).)
 */
function withContent(elf, address, content) {
  const [programHeaders, count] = [Number(elf.readBigUInt64LE(32)), elf.readUInt16LE(56)];
  const [PT_LOAD, PF_W] = [1, 2];
  for (let at = programHeaders; at < programHeaders + 56 * count; at += 56) {
    if (elf.readUInt32LE(at) !== PT_LOAD || !(elf.readUInt32LE(at + 4) & PF_W)) continue;
    const [offset, start, size] = [8, 16, 32].map((field) => Number(elf.readBigUInt64LE(at + field)));
    const image = Buffer.alloc(offset + address - start + content.length);
    elf.copy(image, 0, 0, offset + size);
    content.copy(image, offset + address - start);
    image.writeBigUInt64LE(BigInt(image.length - offset), at + 32);
    image.writeBigUInt64LE(0n, 40); // no section headers
    image.writeUInt16LE(0, 60);
    image.writeUInt16LE(0, 62);
    return image;
  }
  throw new Error("the engine has no writable segment");
}
