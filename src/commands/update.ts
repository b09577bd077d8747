import { type Command, Option } from "commander";
import { checkResources, parseResources } from "../config/load.js";
import { type Shares, update } from "../container/update.js";
import { ffi } from "../ffi/driver.js";
import type { Resources } from "../generated/config.js";
import { Failure } from "../linux/failure.js";
import { quote, readAll, readFile } from "../linux/file.js";
import { globalsOf } from "./globals.js";
import { parseSize } from "./size.js";

/** What a flag's text is to be: how to read it, and what to say where it is not that. */
type Kind = [read: (text: string) => number | bigint | string | undefined, demand: string];

const integer = (text: string): number | bigint => (Number.isSafeInteger(Number(text)) ? Number(text) : BigInt(text));
const COUNT: Kind = [(text) => (/^\d{1,19}$/.test(text) ? integer(text) : undefined), "not a whole number"];
const SIGNED: Kind = [(text) => (/^-?\d{1,18}$/.test(text) ? integer(text) : undefined), "not an integer"];
const LIST: Kind = [(text) => text, ""];
const SIZE: Kind = [
  (text) => (text === "-1" ? -1 : parseSize(text)),
  "invalid size: neither a number, with k, m, g, t or p behind it if need be, nor -1 for no limit",
];

/** The flags that set a property of the resources each. */
const FLAGS: readonly (readonly [flag: string, property: string, kind: Kind, description: string])[] = [
  ["blkio-weight", "blockIO.weight", COUNT, "the share of block device I/O, from 10 to 1000"],
  ["cpu-period", "cpu.period", COUNT, "the period that a quota is for, in microseconds"],
  ["cpu-quota", "cpu.quota", SIGNED, "the CPU time in a period, in microseconds"],
  ["cpu-burst", "cpu.burst", COUNT, "the CPU time that may be saved up, in microseconds"],
  ["cpu-share", "cpu.shares", COUNT, "the share of CPU time, relative to others'"],
  ["cpu-rt-period", "cpu.realtimePeriod", COUNT, "the period that a realtime quota is for, in microseconds"],
  ["cpu-rt-runtime", "cpu.realtimeRuntime", SIGNED, "the realtime CPU time in a period, in microseconds"],
  ["cpuset-cpus", "cpu.cpus", LIST, "the CPUs to use: 0-3,7"],
  ["cpuset-mems", "cpu.mems", LIST, "the memory nodes to use: 0-1"],
  ["memory", "memory.limit", SIZE, "the most memory, in bytes"],
  ["cpu-idle", "cpu.idle", SIGNED, "1 for CPU time that nobody else wants, 0 for the usual"],
  ["memory-reservation", "memory.reservation", SIZE, "memory to leave to it where it is scarce, in bytes"],
  ["memory-swap", "memory.swap", SIZE, "the most memory and swap together, in bytes"],
  ["pids-limit", "pids.limit", SIGNED, "the most processes and threads"],
];

/** Flags of runc's without effect: the kernel has no such limit any more. */
const OBSOLETE = ["kernel-memory", "kernel-memory-tcp"];

/** The flags that set a schema of linux.intelRdt each. */
const SCHEMAS = [
  ["l3-cache-schema", "l3CacheSchema", "the share of the L3 cache, as resctrl takes it: L3:0=f0;1=f"],
  ["mem-bw-schema", "memBwSchema", "the share of memory bandwidth, as resctrl takes it: MB:0=20;1=70"],
] as const;

export function defineUpdate(program: Command): void {
  const command = program
    .command("update")
    .description("change limits of a container")
    .argument("<id>", "the name of the container")
    .option("-r, --resources <file>", "a JSON file as linux.resources, - for standard input; then no flag counts");
  for (const [flag, , , description] of FLAGS) command.option(`--${flag} <value>`, description);
  for (const [flag, , description] of SCHEMAS) command.option(`--${flag} <schema>`, description);
  for (const flag of OBSOLETE) command.addOption(new Option(`--${flag} <value>`).hideHelp());
  command.action((id: string) => {
    const globals = globalsOf(program);
    const given = (flag: string): string => command.getOptionValue(camelCase(flag)) ?? "";
    const file = given("resources");
    if (file !== "") {
      const name = file === "-" ? "/dev/stdin" : file;
      const text = file === "-" ? ffi.decode(readAll(0)) : readFile(file);
      return retelling(
        (property) => `${quote(name)}: ${property}`,
        () => update(globals, id, parseResources(name, text)),
      );
    }
    for (const flag of OBSOLETE)
      if (given(flag) !== "") globals.warn(`--${flag} is ignored: the kernel has no such limit any more`);
    const resources = resourcesOf(given);
    retelling(
      (property) => {
        const [flag] = FLAGS.find(([name, path]) => path === property && given(name) !== "") ?? [];
        return flag && `--${flag} ${quote(given(flag))}`;
      },
      () => {
        checkResources(resources);
        update(globals, id, resources, sharesOf(given));
      },
    );
  });
}

const camelCase = (flag: string): string => flag.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());

/** The resources that flags stand for. Throws Failure by flag. */
function resourcesOf(given: (flag: string) => string): Resources {
  const resources: Record<string, Record<string, unknown>> = {};
  for (const [flag, property, [read, demand]] of FLAGS) {
    const text = given(flag);
    if (text === "") continue;
    const value = read(text);
    if (value === undefined) throw new Failure(`--${flag} ${quote(text)}`, { cause: demand });
    const [topic, name] = property.split(".");
    resources[topic] = { ...resources[topic], [name]: value };
  }
  return resources;
}

/** The schemas that flags stand for; none where there is no such flag. */
function sharesOf(given: (flag: string) => string): Shares | undefined {
  const flags = SCHEMAS.filter(([flag]) => given(flag) !== "");
  if (flags.length === 0) return undefined;
  const schemata = Object.fromEntries(flags.map(([flag, property]) => [property, given(flag)]));
  return { schemata, nameOf: (property) => `--${flags.find(([, name]) => name === property)?.[0]}` };
}

/** Runs `change`; an error about a property of a config becomes one about where it comes from here, if that is known. */
function retelling(from: (property: string) => string | undefined, change: () => void): void {
  try {
    change();
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const [, property = "", rest] = /linux\.resources\.([\w.]+(?:\[.*?\][\w.]*)?)(: .*)$/s.exec(error.message) ?? [];
    const origin = from(property);
    throw property === "" || origin === undefined ? error : new Failure(origin + rest);
  }
}
