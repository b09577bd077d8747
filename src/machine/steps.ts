import type { PlacedPart, Program, Step } from "./program.js";

/** How many steps a program has. */
export const stepCount = ({ parts }: Program): number => parts.reduce((sum, { part }) => sum + part.count, 0);

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
    const { steps, count } = placed.part;
    for (let index = 0; index < count; index++) yield { step: told(steps[index], placed), placed, index, before };
    before += count;
  }
}

/** The step of a number, counted from 1 through several programs. Throws RangeError where there is none. */
export function stepOf(programs: readonly Program[], number: number): Step {
  let index = number - 1;
  for (const { parts } of programs)
    for (const placed of parts) {
      if (index < placed.part.count) return told(placed.part.steps[index], placed);
      index -= placed.part.count;
    }
  throw new RangeError(`there is no step ${number}`);
}

/** The last step that answers a description and all that follow it, and the number of the first of these. */
export function stepsFrom(program: Program, isFirst: (step: Step) => boolean): { number: number; steps: Step[] } {
  const { parts } = program;
  const steps: Step[] = [];
  let number = stepCount(program);
  for (let i = parts.length - 1; i >= 0; i--)
    for (const each of parts[i].part.steps.toReversed()) {
      const step = told(each, parts[i]);
      steps.unshift(step);
      if (isFirst(step)) return { number, steps };
      number--;
    }
  return { number: 1, steps };
}

/** A step with the place that it stems from. */
const told = (step: Step, { from }: PlacedPart): Step =>
  step.from === undefined && from !== undefined ? { ...step, from } : step;

/** Whether a program has named memory of this name. */
export const usesMemory = ({ parts }: Program, name: string): boolean => parts.some(({ part }) => name in part.memory);
