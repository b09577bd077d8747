import { errnoNumber } from "../linux/errno.js";
import { Failure } from "../linux/failure.js";
import type { Program } from "../machine/program.js";
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
export function withFault({ launcher, init }: Compiled, { number, errno }: Fault): Compiled {
  const total = launcher.steps.length + init.steps.length;
  if (number < 1 || number > total)
    throw new Failure(`--fail-step ${number}:${errno}`, { cause: `the steps are numbered from 1 to ${total}` });
  const inLauncher = number <= launcher.steps.length;
  return inLauncher
    ? { launcher: failAt(launcher, number - 1, errno, true), init }
    : { launcher, init: failAt(init, number - 1 - launcher.steps.length, errno, false) };
}

/** @param returns whether a step that hands its error to the runtime, in whose process it is made, still does so */
function failAt(program: Program, index: number, errno: string, returns: boolean): Program {
  const step = program.steps[index];
  const { says, from, hint } = step;
  const told = { says, ...(from !== undefined && { from }), ...(hint !== undefined && { hint }) };
  const steps = [...program.steps];
  if ("call" in step) {
    const any = step.on?.["*"];
    const on = returns && any !== undefined && any !== "next" && { on: { "*": any } };
    steps[index] = { call: step.call, args: [], fault: errno, ...on, ...told };
  } else steps[index] = { fail: errno, ...told };
  return { ...program, steps };
}
