import { viewOf } from "../linux/bytes.js";
import { ACCESS, ANY, type DevicePolicy } from "./device-policy.js";

/** Instructions of eBPF: operation, destination and source registers, jump distance, constant (linux/bpf.h). */
const LOAD = 0x61;
const MOVE = 0xb7;
const MOVE_REGISTER = 0xbf;
const AND = 0x54;
const SHIFT_RIGHT = 0x74;
const JUMP_IF_NOT = 0x56;
const JUMP_IF = 0x16;
const EXIT = 0x95;

/** Registers: the result; struct bpf_cgroup_dev_ctx; what it holds. */
const RESULT = 0;
const CONTEXT = 1;
const ASKED = 2;
const TYPE = 3;
const MAJOR = 4;
const MINOR = 5;

/** BPF_DEVCG_DEV_*. */
const TYPES = { b: 1, c: 2 };

const EVERY_ACCESS = ACCESS.m | ACCESS.r | ACCESS.w;

/**
 * Assembles a BPF_PROG_TYPE_CGROUP_DEVICE program that decides as the policy says. It goes through the rules from the
 * last to the first and drops from what is asked what is allowed, until nothing is left.
 */
export function deviceProgram({ allow, rules }: DevicePolicy): Uint8Array {
  const program = new Program();
  program.add(LOAD, ASKED, CONTEXT, 0, 0);
  program.add(MOVE_REGISTER, TYPE, ASKED, 0, 0);
  program.add(AND, TYPE, 0, 0, 0xffff);
  program.add(SHIFT_RIGHT, ASKED, 0, 0, 16);
  program.add(LOAD, MAJOR, CONTEXT, 4, 0);
  program.add(LOAD, MINOR, CONTEXT, 8, 0);
  for (const rule of [...rules].reverse()) {
    program.elseNext(JUMP_IF_NOT, TYPE, TYPES[rule.type]);
    if (rule.major !== ANY) program.elseNext(JUMP_IF_NOT, MAJOR, rule.major);
    if (rule.minor !== ANY) program.elseNext(JUMP_IF_NOT, MINOR, rule.minor);
    if (rule.access !== EVERY_ACCESS && rule.allow) {
      program.add(AND, ASKED, 0, 0, EVERY_ACCESS & ~rule.access);
      program.elseNext(JUMP_IF_NOT, ASKED, 0);
    } else if (rule.access !== EVERY_ACCESS) {
      program.add(MOVE_REGISTER, RESULT, ASKED, 0, 0);
      program.add(AND, RESULT, 0, 0, rule.access);
      program.elseNext(JUMP_IF, RESULT, 0);
    }
    program.answer(rule.allow);
  }
  program.answer(allow);
  return program.bytes();
}

/** Instructions being put together. */
class Program {
  readonly #code: [operation: number, to: number, from: number, offset: number, constant: number][] = [];
  /** Jumps to the next rule, whose place is not known yet. */
  #open: number[] = [];

  add(operation: number, to: number, from: number, offset: number, constant: number): void {
    this.#code.push([operation, to, from, offset, constant]);
  }

  /** Jumps to the next rule if the register and the constant compare so. */
  elseNext(operation: number, register: number, constant: number): void {
    this.#open.push(this.#code.length);
    this.add(operation, register, 0, 0, constant);
  }

  /** Ends the rule: its answer, and the place of the next one. */
  answer(allow: boolean): void {
    this.add(MOVE, RESULT, 0, 0, allow ? 1 : 0);
    this.add(EXIT, 0, 0, 0, 0);
    for (const at of this.#open) this.#code[at][3] = this.#code.length - at - 1;
    this.#open = [];
  }

  bytes(): Uint8Array {
    const bytes = new Uint8Array(this.#code.length * 8);
    const view = viewOf(bytes);
    this.#code.forEach(([operation, to, from, offset, constant], i) => {
      view.setUint8(i * 8, operation);
      view.setUint8(i * 8 + 1, to | (from << 4));
      view.setInt16(i * 8 + 2, offset, true);
      view.setInt32(i * 8 + 4, constant, true);
    });
    return bytes;
  }
}
