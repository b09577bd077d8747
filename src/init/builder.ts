import type { SyscallName } from "../linux/syscalls.js";
import type { Call, Field, Program, Step, Target, Test, Value } from "../machine/program.js";

/** A place later in the program: `builder.bind` says where. */
export class Label {
  target: number | undefined;
}

/** A jump's end while the program is being built. */
type Goal = Label | "next";

/** What a step says of itself: its sentence, or a sentence with the property that it stems from, and a hint. */
export interface Saying {
  readonly says: string;
  readonly from?: string;
  readonly hint?: string;
}

interface CallOptions {
  into?: string;
  on?: Readonly<Record<string, Goal>>;
  zero?: Goal | "fail";
  then?: Goal;
}

/** Builds a program step by step. What the steps say is set once for each group of them by `about`. */
export class Builder {
  private readonly steps: Step[] = [];
  private readonly memory: Record<string, number | readonly Field[]> = { sync: 8, report: 8, context: 8 };
  /** Slots whose memory lies inside a struct. */
  private readonly placed = new Set<string>();
  private readonly loose: (() => void)[] = [];
  private saying: Saying = { says: "" };

  /** Sets what the steps that follow say of themselves. */
  about(says: string, from?: string, hint?: string): void {
    this.saying = { says, ...(from !== undefined && { from }), ...(hint !== undefined && { hint }) };
  }

  /** A system call; `options` as in `Call`, with labels. */
  call(name: SyscallName, args: readonly Value[], options: CallOptions = {}): void {
    const { into, on, zero, then } = options;
    if (into !== undefined) this.slot(into);
    const step: Mutable<Call> = { call: name, args, ...this.saying };
    if (into !== undefined) step.into = into;
    if (on !== undefined) {
      const targets: Record<string, Target> = {};
      for (const errno in on) this.aim(on[errno], (target) => (targets[errno] = target));
      step.on = targets;
    }
    if (zero === "fail") step.zero = zero;
    else if (zero !== undefined) this.aim(zero, (target) => (step.zero = target));
    if (then !== undefined) this.aim(then, (target) => (step.then = target));
    this.steps.push(step);
  }

  /** Jumps by an unsigned number in memory. */
  test(
    at: { memory: string; offset: number; size: 1 | 2 | 4; mask?: number },
    value: number,
    goals: { equal: Goal } | { differs: Goal },
  ): void {
    const { memory: test, offset, size, mask = 0xffffffff } = at;
    const step: Mutable<Test> = { test, offset, size, mask, value, ...this.saying };
    if ("equal" in goals) this.aim(goals.equal, (target) => (step.equal = target));
    else this.aim(goals.differs, (target) => (step.differs = target));
    this.steps.push(step);
  }

  /** Stores a value in a slot, or the first argument that the code was called with. */
  store(value: Value | "argument", into: string): void {
    this.slot(into);
    this.steps.push({ store: value, into, ...this.saying });
  }

  fail(errno: string): void {
    this.steps.push({ fail: errno, ...this.saying });
  }

  jump(goal: Label): void {
    const step = { jump: "next" as Target, ...this.saying };
    this.aim(goal, (target) => {
      step.jump = target;
    });
    this.steps.push(step);
  }

  /** Closes the descriptor in a slot. */
  close(slot: string): void {
    this.call("close", [{ slot }], { on: { "*": "next" } });
  }

  label(): Label {
    return new Label();
  }

  /** Puts a label before the step that comes next. */
  bind(label: Label): void {
    label.target = this.steps.length;
  }

  /** Declares a slot, zero at the start, or filled by who launches the program. */
  slot(name: string): void {
    if (!this.placed.has(name)) this.memory[name] ??= 8;
  }

  /** Declares zeroed memory. */
  buffer(name: string, size: number): { at: string } {
    this.memory[name] = size;
    return { at: name };
  }

  /** Declares a struct with places for slots. */
  struct(name: string, fields: readonly Field[]): { at: string } {
    this.memory[name] = fields;
    for (const field of fields) if (typeof field === "object" && "place" in field) this.placed.add(field.place);
    return { at: name };
  }

  finish(): Program {
    for (const aim of this.loose) aim();
    return { steps: this.steps, memory: this.memory, report: { to: "report", context: "context" } };
  }

  private aim(goal: Goal, set: (target: Target) => void): void {
    if (goal === "next") set("next");
    else
      this.loose.push(() => {
        if (goal.target === undefined) throw new TypeError("a label is bound to no step");
        set(goal.target);
      });
  }
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** The kernel's constants by name. */
export const flags = (...names: string[]): Value => (names.length === 0 ? 0 : { flags: names.join("|") });
export const text = (value: string): Value => ({ text: value });
export const slot = (name: string): Value => ({ slot: name });

/** openat2(2)'s struct open_how, and its size: the call's last two arguments. */
export const openHow = (open: string, resolve: string, mode = 0): [Value, Value] => [
  { struct: [{ flags: open }, mode, { flags: resolve }] },
  24,
];
