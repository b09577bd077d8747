import type { PlacedPart, Program, Step } from "./program.js";

/** How many steps a program has. */
export const stepCount = ({ parts }: Program): number => parts.reduce((sum, { part }) => sum + part.steps.length, 0);

/** A step where it stands: its part, its index there, and the number of steps before the part. */
export interface StandingStep {
  readonly step: Step;
  readonly placed: PlacedPart;
  readonly index: number;
  readonly before: number;
}

/** A program's steps, in order. */
export function* stepsOf({ parts }: Program): Generator<StandingStep> {
  let before = 0;
  for (const placed of parts) {
    const { steps } = placed.part;
    for (let index = 0; index < steps.length; index++) yield { step: told(placed, index), placed, index, before };
    before += steps.length;
  }
}

/** The step of a number, counted from 1 through several programs. Throws RangeError where there is none. */
export function stepOf(programs: readonly Program[], number: number): Step {
  let index = number - 1;
  for (const { parts } of programs)
    for (const placed of parts) {
      const { length } = placed.part.steps;
      if (index < length) return told(placed, index);
      index -= length;
    }
  throw new RangeError(`there is no step ${number}`);
}

/** The last step that answers a description and all that follow it, and the number of the first of these. */
export function stepsFrom(program: Program, isFirst: (step: Step) => boolean): { number: number; steps: Step[] } {
  const { parts } = program;
  const steps: Step[] = [];
  let number = stepCount(program);
  for (let i = parts.length - 1; i >= 0; i--)
    for (let index = parts[i].part.steps.length - 1; index >= 0; index--, number--) {
      const step = told(parts[i], index);
      steps.unshift(step);
      if (isFirst(step)) return { number, steps };
    }
  return { number: 1, steps };
}

/** A step with the place that it stems from. */
function told({ part, from }: PlacedPart, index: number): Step {
  const step = part.steps[index];
  return step.from === undefined && from !== undefined ? { ...step, from } : step;
}

/** Whether a program has named memory of this name. */
export const usesMemory = ({ parts }: Program, name: string): boolean => parts.some(({ part }) => name in part.memory);
