import type { SyscallName } from "../linux/syscalls.js";
import type { Call, Field, Hint, Label, Part, PlacedPart, Program, Step, Test, Value } from "../machine/program.js";
import { keepPart, keptPart, type Topic } from "./kept-parts.js";

/** What a step says of itself: its sentence, or a sentence with the property that it stems from, and a hint. */
export interface Saying {
  readonly says: string;
  readonly from?: string | undefined;
  readonly hint?: Hint | undefined;
}

export type CallOptions = Pick<Call, "into" | "on" | "zero" | "then">;

/** Builds a program step by step. What the steps say is set once for each group of them by `about`. */
export class Builder {
  private readonly parts: PlacedPart[] = [];
  private steps: Step[] = [];
  private memory: Record<string, number | readonly Field[]> = {};
  /** Slots whose memory lies inside a struct. */
  private readonly placed = new Set<string>();
  private saying: Saying = NOTHING;
  /** The JSON path that the part being built stems from. */
  from = "";

  /** @param frugal whether descriptors that are used no more have to be closed at once */
  constructor(private readonly frugal = false) {}

  /** Sets what the steps that follow say of themselves. */
  about(says: string, from?: string, hint?: Hint): void {
    this.saying = { says, from, hint };
  }

  /**
   * Appends what a topic compiles from plain data, and from nothing else. Such a part stands for itself, so one that is
   * kept can be used again.
   *
   * @param from the JSON path that its steps stem from
   */
  part<T>(topic: Topic<T>, data: T, from?: string): void {
    this.endPart();
    let part = this.frugal ? undefined : keptPart(topic, data);
    if (part === undefined) {
      this.from = from ?? "";
      topic(this, data);
      part = keepPart(topic, data, this.takePart(), () => new Builder().stepsOf(topic, data));
    }
    this.parts.push(from === undefined ? { part } : { part, from });
  }

  /** A system call; `options` as in `Call`. */
  call(name: SyscallName, args: readonly Value[], { into, on, zero, then }: CallOptions = NONE): void {
    const { says, from, hint } = this.saying;
    if (into !== undefined) this.slot(into);
    this.steps.push({ call: name, args, says, from, hint, into, on, zero, then });
  }

  /** Jumps by an unsigned number in memory. */
  test(
    { memory, offset, size, mask = 0xffffffff }: { memory: string; offset: number; size: 1 | 2 | 4; mask?: number },
    value: number,
    { equal, differs }: Pick<Test, "equal" | "differs">,
  ): void {
    this.steps.push({ test: memory, offset, size, mask, value, equal, differs, ...this.saying });
  }

  /** Stores a value in a slot, or the first argument that the code was called with. */
  store(value: Value | "argument", into: string): void {
    this.slot(into);
    this.steps.push({ store: value, into, ...this.saying });
  }

  fail(errno: string): void {
    this.steps.push({ fail: errno, ...this.saying });
  }

  jump(target: Label): void {
    this.steps.push({ jump: target, ...this.saying });
  }

  /** Closes the descriptor in a slot. */
  close(name: string): void {
    this.call("close", [slot(name)], GO_ON);
  }

  /**
   * Ends the use of the descriptor in a slot. Nothing outlives the execution of the user's program, and each step takes
   * time: it is closed only where so many are used that they might run out.
   */
  done(name: string): void {
    if (this.frugal) this.close(name);
  }

  /** A place later in the program: `bind` says where. */
  label(): Label {
    return { target: -1 };
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
    this.endPart();
    return { parts: this.parts, report: { to: "report", context: "context" } };
  }

  /** Ends the part that is being built, if there is anything in it. */
  private endPart(): void {
    if (this.steps.length > 0) this.parts.push({ part: this.takePart() });
  }

  private stepsOf<T>(topic: Topic<T>, data: T): readonly Step[] {
    topic(this, data);
    return this.steps;
  }

  private takePart(): Part {
    const part = { steps: this.steps, count: this.steps.length, memory: this.memory };
    this.steps = [];
    this.memory = {};
    this.saying = NOTHING;
    return part;
  }
}

const NOTHING: Saying = { says: "" };
const NONE: CallOptions = {};

/** For a call whose failure does not matter. */
export const GO_ON: CallOptions = { on: { "*": "next" } };

/** The kernel's constants by name. */
export const flags = (...names: string[]): Value => (names.length === 0 ? 0 : { flags: names.join("|") });
export const text = (value: string): Value => ({ text: value });
export const slot = (name: string): Value => ({ slot: name });

/** An empty path: what a call is to work on is its descriptor. */
export const NO_PATH = text("");
export const EMPTY_PATH = flags("AT_EMPTY_PATH");
export const AT_FDCWD = flags("AT_FDCWD");

/**
 * The value that a key stands for, made once: a program's memory holds one that is used again only once, too. There are
 * few of them.
 */
function memoize<T>(make: (key: string) => T): (key: string) => T {
  const made = new Map<string, T>();
  return (key) => {
    let value = made.get(key);
    if (value === undefined) {
      value = make(key);
      made.set(key, value);
    }
    return value;
  };
}

const openHowOf = memoize((key): [Value, Value] => {
  const [open, resolve] = key.split(" ");
  return [{ struct: [{ flags: open }, 0, { flags: resolve }] }, 24];
});

/** openat2(2)'s struct open_how, and its size: the call's last two arguments. */
export const openHow = (open: string, resolve: string): [Value, Value] => openHowOf(`${open} ${resolve}`);
