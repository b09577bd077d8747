import { errnoNumber } from "../linux/errno.js";
import { Failure } from "../linux/failure.js";
import type { Part, Program, Step } from "../machine/program.js";
import { stepCount, stepsOf } from "../machine/steps.js";
import type { Compiled } from "./compile.js";

/** A step to make fail on purpose: its number, as `plan` prints it, and the name of the errno. */
export interface Fault {
  readonly number: number;
  readonly errno: string;
}

/** Reads a fault from "NUMBER:ERRNO". Throws Failure. */
export function parseFault(text: string): Fault {
  const [, number, errno] = /^(\d+):(E[A-Z0-9]+)$/.exec(text) ?? [];
  if (number === undefined || errnoNumber(errno) === undefined)
    throw new Failure(`--fail-step ${JSON.stringify(text)}`, { cause: 'not of the form NUMBER:ERRNO, as "12:EPERM"' });
  return { number: Number(number), errno };
}

/** The container with a step that fails wherever it is reached. Throws Failure where there is no step of that number. */
export function withFault(compiled: Compiled, { number, errno }: Fault): Compiled {
  const { launcher, init } = compiled;
  const before = stepCount(launcher);
  const total = before + stepCount(init);
  if (number < 1 || number > total)
    throw new Failure(`--fail-step ${number}:${errno}`, { cause: `the steps are numbered from 1 to ${total}` });
  return number <= before
    ? { ...compiled, launcher: failAt(launcher, number, errno, true) }
    : { ...compiled, init: failAt(init, number - before, errno, false) };
}

/** @param returns whether a step that hands its error to the runtime, in whose process it is made, still does so */
function failAt(program: Program, number: number, errno: string, returns: boolean): Program {
  for (const { step, placed, index, before } of stepsOf(program)) {
    if (before + index + 1 !== number) continue;
    const { memory, count, steps } = placed.part;
    const part: Part = { memory, count, steps: steps.with(index, failing(step, errno, returns)) };
    return { ...program, parts: program.parts.map((each) => (each === placed ? { ...placed, part } : each)) };
  }
  return program;
}

function failing(step: Step, errno: string, returns: boolean): Step {
  const { says, from, hint } = step;
  const told = { says, ...(from !== undefined && { from }), ...(hint !== undefined && { hint }) };
  if (!("call" in step)) return { fail: errno, ...told };
  const any = step.on?.["*"];
  const on = returns && any !== undefined && any !== "next" && { on: { "*": any } };
  return { call: step.call, args: [], fault: errno, ...on, ...told };
}
