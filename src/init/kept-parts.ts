import type { Part, Step } from "../machine/program.js";
import type { Builder } from "./builder.js";

/** Appends steps that depend on nothing but plain data. */
export type Topic<T> = (b: Builder, data: T) => void;

/** The parts that are kept; also by topic and by its data as JSON. */
const PARTS = new Set<Part>();
const BY_TOPIC = new Map<Topic<never>, Map<string, Part>>();

/** Whether what is compiled now is to be kept. */
let keeping = false;

/** A part whose steps are compiled again where they are asked for, which is seldom: to tell of a failure. */
class KeptPart implements Part {
  readonly count: number;
  readonly memory: Part["memory"];

  constructor(
    { count, memory }: Part,
    private readonly compile: () => readonly Step[],
  ) {
    this.count = count;
    this.memory = memory;
  }

  get steps(): readonly Step[] {
    return this.compile();
  }
}

/** What equal data of one topic has in common. Most are texts, which need no more. */
const keyOf = (data: unknown): string => (typeof data === "string" ? data : JSON.stringify(data));

/** The part that a topic made of equal data before, if it was kept. */
export const keptPart = <T>(topic: Topic<T>, data: T): Part | undefined => BY_TOPIC.get(topic)?.get(keyOf(data));

/** A part as it is to be placed: as it is or, if this is the time to, kept. `compile` makes its steps again. */
export function keepPart<T>(topic: Topic<T>, data: T, part: Part, compile: () => readonly Step[]): Part {
  if (!keeping) return part;
  let parts = BY_TOPIC.get(topic);
  if (parts === undefined) {
    parts = new Map();
    BY_TOPIC.set(topic, parts);
  }
  const kept = new KeptPart(part, compile);
  parts.set(keyOf(data), kept);
  PARTS.add(kept);
  return kept;
}

/** Keeps the parts that `compile` makes, for all later programs of this process. */
export function keepParts<T>(compile: () => T): T {
  keeping = true;
  try {
    return compile();
  } finally {
    keeping = false;
  }
}

export const isKept = (part: Part): boolean => PARTS.has(part);
