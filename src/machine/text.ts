import type { SyscallName } from "../linux/syscalls.js";
import type { Call, Field, Part, Program, Step, Target, Value } from "./program.js";
import { stepsOf } from "./steps.js";

/** Programs that are numbered through, as lines for people: an strace listing of what will happen. */
export function listing(programs: readonly Program[]): string {
  const lines: string[] = [];
  let heading = "";
  for (const { number, step, text } of numbered(programs)) {
    const origin = step.from === undefined ? "" : `  (${step.from})`;
    if (`${step.says}${origin}` !== heading) {
      heading = `${step.says}${origin}`;
      lines.push(`# ${heading}`);
    }
    lines.push(`${String(number).padStart(5)}  ${text}`);
  }
  return `${lines.join("\n")}\n`;
}

/** A step as data for programs: numbers, names and rendered arguments. */
export interface ListedStep {
  readonly number: number;
  readonly says: string;
  readonly from?: string;
  readonly call?: string;
  readonly args?: readonly string[];
  readonly text: string;
}

/** Programs that are numbered through, a record a step. */
export function records(programs: readonly Program[]): ListedStep[] {
  const listed: ListedStep[] = [];
  for (const { number, step, part, text } of numbered(programs)) {
    const { says, from } = step;
    const call = "call" in step ? { call: step.call, args: argumentTexts(step, part) } : {};
    listed.push({ number, says, ...(from !== undefined && { from }), ...call, text });
  }
  return listed;
}

/** The steps of programs, numbered through. */
function* numbered(programs: readonly Program[]): Generator<{ number: number; step: Step; part: Part; text: string }> {
  let first = 1;
  for (const program of programs) {
    let count = 0;
    for (const { step, placed, index, before } of stepsOf(program)) {
      const text = stepText(step, placed.part, first + before);
      yield { number: first + before + index, step, part: placed.part, text };
      count++;
    }
    first += count;
  }
}

/** @param first the number of the part's first step */
function stepText(step: Step, part: Part, first: number): string {
  const to = (target: Target) => (target === "next" ? "go on" : `step ${first + target.target}`);
  if ("test" in step) {
    const { test, offset, size, mask, value, equal, differs } = step;
    const masked = mask === 0xffffffff ? "" : ` & 0x${mask.toString(16)}`;
    const what = `${size} bytes of %${test} at ${offset}${masked}`;
    return equal !== undefined
      ? `if ${what} == 0x${value.toString(16)}: ${to(equal)}`
      : `if ${what} != 0x${value.toString(16)}: ${to(differs ?? "next")}`;
  }
  if ("store" in step)
    return `%${step.into} = ${step.store === "argument" ? "the argument" : valueText(step.store, part)}`;
  if ("jump" in step) return `go to ${to(step.jump)}`;
  if ("fail" in step) return `fail with ${step.fail}`;
  const args = argumentTexts(step, part).join(", ");
  const into = step.into === undefined ? "" : ` = %${step.into}`;
  const goals = Object.entries(step.on ?? {}).map(
    ([errno, target]) => `${errno === "*" ? "error" : errno}: ${to(target)}`,
  );
  if (step.zero !== undefined) goals.push(`0: ${step.zero === "fail" ? "fail" : to(step.zero)}`);
  if (step.then !== undefined) goals.push(`success: ${to(step.then)}`);
  return `${step.call}(${args})${into}${goals.length > 0 ? `   [${goals.join("; ")}]` : ""}`;
}

/** The calls that take a mode, and where: people read those in octal. */
const MODES: Partial<Record<SyscallName, number>> = { mkdirat: 2, umask: 0, openat: 3, fchmodat: 2 };

const argumentTexts = ({ call, args }: Call, part: Part): string[] =>
  args.map((arg, i) =>
    i === MODES[call] && typeof arg === "number" ? `0${arg.toString(8)}`.replace(/^00$/, "0") : valueText(arg, part),
  );

function valueText(value: Field, part: Part): string {
  if (typeof value === "number" || typeof value === "bigint") return numberText(value);
  if ("flags" in value) return value.plus ? `${value.flags}|0${value.plus.toString(8)}` : value.flags;
  if ("slot" in value) return value.offset === undefined ? `%${value.slot}` : `%${value.slot}[${value.offset}]`;
  if ("place" in value) return `%${value.place}`;
  if ("text" in value) return JSON.stringify(value.text);
  if ("bytes" in value) return `<${value.shown}>`;
  if ("strings" in value) return `[${value.strings.map((text) => JSON.stringify(text)).join(", ")}]`;
  const fields = "struct" in value ? value.struct : part.memory[value.at];
  if (typeof fields === "number" || fields === undefined) return `&%${(value as { at: string }).at}`;
  return `{${fields.map((field) => valueText(field as Value, part)).join(", ")}}`;
}

/** Small numbers in decimal, masks and addresses in hexadecimal. */
function numberText(value: number | bigint): string {
  if (value === 0xffffffff) return "~0";
  return value >= 4096 ? `0x${value.toString(16)}` : String(value);
}
