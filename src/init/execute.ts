import type { Process } from "../generated/config.js";
import { quote } from "../linux/file.js";
import { AT_FDCWD, type Builder, flags, text } from "./builder.js";

/** Where execvp(3) looks if the environment has no PATH. */
const DEFAULT_PATH = "/bin:/usr/bin";

/** The files that args[0] may stand for, in order, as execvp(3) tries them. */
function candidates({ args = [], env = [] }: Process): string[] {
  const name = args[0];
  if (name.includes("/")) return [name];
  const path = env.findLast((entry) => entry.startsWith("PATH="))?.slice(5) ?? DEFAULT_PATH;
  return path.split(":").map((directory) => `${directory || "."}/${name}`);
}

const FROM = "process.args[0]";

/** Compiles a look at the user's program, so that one that is missing is told when the container is created. */
export function compileExecutableCheck(b: Builder, process: Process): void {
  const name = process.args?.[0] ?? "";
  const searched = !name.includes("/");
  const found = b.label();
  const check = (file: string, mode: string, options = {}) =>
    b.call("faccessat2", [AT_FDCWD, text(file), mode ? flags(mode) : 0, flags("AT_EACCESS")], options);
  if (!searched) {
    b.about(`exec ${quote(name)}`, FROM);
    check(name, "X_OK");
    const open = flags("O_PATH", "O_DIRECTORY", "O_CLOEXEC");
    b.call("openat", [AT_FDCWD, text(name), open, 0], { on: { "*": found } });
    b.about(`exec ${quote(name)}`, FROM, "it is a directory");
    b.fail("EACCES");
    b.bind(found);
    return;
  }
  b.about(`exec ${quote(name)}: executable file not found in $PATH`, FROM);
  const files = candidates(process);
  for (const file of files) check(file, "X_OK", { on: { "*": "next" }, then: found });
  // Nothing to execute: then a file that is there but may not be executed is what to tell of.
  const denied = b.label();
  for (const file of files) check(file, "", { on: { "*": "next" }, then: denied });
  b.fail("ENOENT");
  b.bind(denied);
  b.about(`exec ${quote(name)}`, FROM, "none of the files of that name in $PATH is executable");
  b.fail("EACCES");
  b.bind(found);
}

/** Of variables that are told twice, the last is meant; getenv(3) would find the first. */
const lastOfEach = (env: readonly string[]): string[] => [
  ...new Map(env.map((entry) => [entry.replace(/=.*/s, ""), entry])).values(),
];

/** Compiles the end: the user's program takes this one's place. */
export function compileExecute(b: Builder, process: Process, home: string): void {
  const { args = [] } = process;
  const env = lastOfEach(process.env ?? []);
  const environment = env.some((entry) => entry.startsWith("HOME=")) ? env : [...env, `HOME=${home}`];
  const hint = { ENOENT: "if the file is there, what it names as its interpreter is not" };
  b.about(`exec ${quote(args[0])}`, FROM, hint);
  const files = candidates(process);
  files.forEach((file, i) => {
    const on = { ENOENT: "next", ENOTDIR: "next", EACCES: "next" } as const;
    const last = i === files.length - 1;
    b.call("execve", [text(file), { strings: args }, { strings: environment }], last ? {} : { on });
  });
}
