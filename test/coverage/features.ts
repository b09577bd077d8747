import { join } from "node:path";
import { Command, type Option } from "commander";
import { defineGlobals } from "../../src/commands/globals.js";
import { COMMANDS } from "../../src/commands/table.js";
import { MEMORY_POLICY_FLAGS, MEMORY_POLICY_MODES } from "../../src/config/rules/memory-policy.js";
import { NAMESPACE_FLAGS } from "../../src/init/compile-spawn.js";
import { mountOptionNames } from "../../src/init/mount-options.js";
import { CAPABILITIES } from "../../src/linux/capabilities.js";
import { ACTIONS, ARCHITECTURES, FLAGS, OPERATORS } from "../../src/seccomp/vocabulary.js";
import { ROOT } from "../folders.js";
import { placesOf, readSchemas } from "../spec/schemas.js";

/** Something that a user can ask for, or is told, and where it stands. */
export interface Feature {
  readonly name: string;
  /** In config.json: paths like "process.rlimits[].soft", with "{}" for the members of a map. */
  readonly paths?: readonly string[];
  /** Of what stands there only this. */
  readonly value?: string;
  /** In the command line. */
  readonly command?: string;
  /** An option of that command's, or without one of all commands. */
  readonly option?: Option;
  /** In what a command prints as JSON. */
  readonly output?: { readonly command: string; readonly path: string };
}

const SCHEMAS = readSchemas(join(ROOT, "spec"));

/**
 * The paths of a document's properties. One that holds others, or a list of such, is there when one of these is, and
 * not listed itself.
 */
function properties(document: string): string[] {
  const paths = [...placesOf(SCHEMAS, `${document}.schema.json`).keys()].map((path) =>
    path.slice(1).replaceAll(".*", "{}"),
  );
  const holders = new Set(paths.filter((path) => path.includes(".")).map((path) => path.replace(/\.[^.]*$/, "")));
  const isHolder = (path: string) => ["", "[]", "{}"].some((part) => holders.has(path + part));
  return paths.filter((path) => /\w$/.test(path) && !isHolder(path));
}

const values = (kind: string, names: readonly string[], ...paths: string[]): Feature[] =>
  names.map((value) => ({ name: `${kind} ${value}`, paths, value }));

function commands(): Feature[] {
  const program = new Command();
  defineGlobals(program);
  for (const define of COMMANDS) define(program);
  const options = ({ options: all }: Command) => all.filter(({ hidden }) => !hidden);
  return [
    ...options(program).map((option) => ({ name: `option ${option.long}`, option })),
    ...program.commands.flatMap((command) => [
      { name: `command ${command.name()}`, command: command.name() },
      ...options(command).map((option) => ({
        name: `option ${command.name()} ${option.long}`,
        command: command.name(),
        option,
      })),
    ]),
  ];
}

const printed = (command: string): Feature[] =>
  properties(command).map((path) => ({ name: `${command}: ${path}`, output: { command, path } }));

const CAPABILITY_SETS = ["bounding", "effective", "permitted", "inheritable", "ambient"];

/** All that the specification and the command line have. */
export const FEATURES: readonly Feature[] = [
  ...properties("config").map((path) => ({ name: path, paths: [path] })),
  ...printed("state"),
  ...printed("features"),
  ...values("mount option", mountOptionNames(), "mounts[].options"),
  ...Object.keys(SCHEMAS["hooks.schema.json"]?.$defs?.Hooks?.properties ?? {}).map((kind) => ({
    name: `hook ${kind}`,
    paths: [`hooks.${kind}`],
  })),
  ...values("namespace", Object.keys(NAMESPACE_FLAGS), "linux.namespaces[].type"),
  ...values("capability", CAPABILITIES, ...CAPABILITY_SETS.map((set) => `process.capabilities.${set}`)),
  ...values("seccomp action", Object.keys(ACTIONS), "linux.seccomp.defaultAction", "linux.seccomp.syscalls[].action"),
  ...values("seccomp operator", Object.keys(OPERATORS), "linux.seccomp.syscalls[].args[].op"),
  ...values("seccomp architecture", Object.keys(ARCHITECTURES), "linux.seccomp.architectures"),
  ...values("seccomp flag", Object.keys(FLAGS), "linux.seccomp.flags"),
  ...values("memory policy mode", Object.keys(MEMORY_POLICY_MODES), "linux.memoryPolicy.mode"),
  ...values("memory policy flag", Object.keys(MEMORY_POLICY_FLAGS), "linux.memoryPolicy.flags"),
  ...commands(),
];
