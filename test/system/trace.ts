import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { eventually, type Scene } from "./harness.js";

/** A step as `plan --format json` prints it. */
export interface PlannedStep {
  number: number;
  says: string;
  from?: string;
  call?: string;
  args?: string[];
  text: string;
}

/** A system call as strace shows it: its result is a number or an errno's name. */
interface Traced {
  name: string;
  args: string;
  result: number | string;
}

/** The steps of the bundle's container. */
export const planOf = (s: Scene): PlannedStep[] => JSON.parse(s.fdrunc(["plan", "--format", "json", "c"]).succeeds());

/** Creates and starts the bundle's container under strace. Returns the system calls of its init, up to its program. */
export async function traceInit(s: Scene): Promise<Traced[]> {
  const file = s.path("trace");
  const under = ["strace", "-f", "-v", "-s", "4096", "-o", file];
  const { ended } = s.start(["create", "c"], { under });
  eventually(() => assert.match(s.fdrunc(["state", "c"]).stdout, /"status": "created"/));
  const { pid } = s.stateOf();
  s.fdrunc(["start", "c"]).succeeds();
  (await ended).succeeds();
  const calls = parse(readFileSync(file, "utf8"), String(pid));
  const program = calls.findIndex(({ name, result }) => name === "execve" && result === 0);
  assert.ok(program > 0);
  return calls.slice(0, program + 1);
}

/** A process's calls in strace's output, where calls that others interrupt are told in two. */
function parse(trace: string, pid: string): Traced[] {
  const calls: Traced[] = [];
  let unfinished = "";
  for (const line of trace.split("\n")) {
    const told = new RegExp(`^${pid} +(.*)$`).exec(line)?.[1];
    if (told === undefined) continue;
    if (told.endsWith(" <unfinished ...>")) {
      unfinished = told.slice(0, -" <unfinished ...>".length);
      continue;
    }
    const [, name, args, value] =
      /^(\w+)\((.*)\) += (-1 E[A-Z0-9]+|-?\d+|0x[0-9a-f]+)/.exec(told.replace(/^<\.\.\. \w+ resumed>/, unfinished)) ??
      [];
    if (name !== undefined)
      calls.push({ name, args, result: value.startsWith("-1 ") ? value.slice(3) : Number(value) });
  }
  return calls;
}

/** Where a step goes on: by errno, for any "error", for "0", and on "success"; a step's number, "go on" or "fail". */
function goals(text: string): Record<string, string> {
  const listed = / {3}\[([^\]]*)\]$/.exec(text)?.[1];
  return Object.fromEntries(listed?.split("; ").map((entry) => entry.split(": ") as [string, string]) ?? []);
}

/**
 * Follows a plan along what init did. Fails where they part.
 *
 * @returns the numbers of the steps that were made
 */
export function follow(steps: readonly PlannedStep[], traced: readonly Traced[]): number[] {
  // What init is in the launcher begins where clone returns zero.
  const start = Number(goals(steps[0].text)["0"].replace("step ", ""));
  let furthest = { depth: 0, told: "" };
  const miss = (depth: number, told: string) => {
    if (depth >= furthest.depth) furthest = { depth, told };
    return undefined;
  };
  const walk = (number: number, at: number): number[] | undefined => {
    if (at === traced.length) return [];
    const step = steps[number - 1];
    if (step === undefined) return miss(at, `the plan ends before ${traced[at].name}`);
    const go = (goal: string, next: number) => {
      const rest = walk(goal === "go on" ? number + 1 : Number(goal.replace("step ", "")), next);
      return rest && [number, ...rest];
    };
    if (step.call === undefined) {
      if (step.text.startsWith("fail ")) return miss(at, `step ${number} fails, but init went on`);
      if (step.text.startsWith("if ")) return go(step.text.replace(/^.*: /, ""), at) ?? go("go on", at);
      return step.text.startsWith("go to ") ? go(step.text.slice("go to ".length), at) : go("go on", at);
    }
    const { name, args, result } = traced[at];
    if (name !== step.call) return miss(at, `step ${number} is ${step.text}, but init made ${name}(${args})`);
    for (const text of step.args?.filter((arg) => /^"/.test(arg)) ?? [])
      if (!args.includes(text)) return miss(at, `step ${number} is ${step.text}, but init made ${name}(${args})`);
    const to = goals(step.text);
    if (typeof result === "string") return go(to[result] ?? to.error ?? "fail", at + 1);
    return go((result === 0 ? to["0"] : undefined) ?? to.success ?? "go on", at + 1);
  };
  const path = walk(start, 0);
  assert.ok(path !== undefined, furthest.told);
  return path;
}
