import { ffi } from "../ffi/driver.js";
import type { Config, TimeOffsets } from "../generated/config.js";
import { quote } from "../linux/file.js";
import type { Program } from "../machine/program.js";
import { AT_FDCWD, Builder, flags, slot, text } from "./builder.js";
import type { ExecutableFile, Named } from "./compile-spawn.js";
import { input } from "./facts.js";

/**
 * Compiles entering a time namespace. A process that shares its memory with another cannot, which is what the launcher's
 * processes do: so it is left to the programs that they execute. time_namespaces(7)
 */
export function compileTimeNamespace(b: Builder, { linux = {} }: Config): void {
  const { namespaces = [], timeOffsets = {} } = linux;
  const index = namespaces.findIndex(({ type }) => type === "time");
  if (index < 0) return;
  const from = `linux.namespaces[${index}]`;
  const path = namespaces[index]?.path;
  if (path) {
    b.about(`join the time namespace of ${quote(path)}`, `${from}.path`, {
      EPERM: "one that belongs to the host cannot be joined from a user namespace",
    });
    joinTimeNamespace(b);
  } else makeTimeNamespace(b, from, offsetLines(timeOffsets));
}

/** Joins the time namespace whose descriptor is slot `namespace:time`. */
function joinTimeNamespace(b: Builder): void {
  b.slot(input.namespace("time"));
  b.call("setns", [slot(input.namespace("time")), flags("CLONE_NEWTIME")]);
  b.close(input.namespace("time"));
}

/** Its maker does not live in it by that: as long as nobody does, its clocks can be set. */
function makeTimeNamespace(b: Builder, from: string, offsets: string): void {
  b.about("make a time namespace", from, { EINVAL: "this kernel has none" });
  b.call("unshare", [flags("CLONE_NEWTIME")]);
  if (offsets !== "") {
    b.about("set the clocks of the time namespace", "linux.timeOffsets", {
      ERANGE: "clocks start at zero, and must not show a time before that",
    });
    b.call("openat", [AT_FDCWD, text("/proc/self/timens_offsets"), flags("O_WRONLY", "O_CLOEXEC"), 0], {
      into: "offsets",
    });
    const shown = offsets.trimEnd().replaceAll("\n", ", ");
    b.call("write", [slot("offsets"), { bytes: ffi.encode(offsets), shown }, offsets.length]);
    b.close("offsets");
  }
  b.about("enter the time namespace", from);
  b.call("openat", [AT_FDCWD, text("/proc/self/ns/time_for_children"), flags("O_RDONLY", "O_CLOEXEC"), 0], {
    into: input.namespace("time"),
  });
  joinTimeNamespace(b);
}

/** The lines that /proc/PID/timens_offsets takes: a clock, seconds, nanoseconds. */
const offsetLines = (offsets: TimeOffsets): string =>
  (["monotonic", "boottime"] as const)
    .filter((clock) => offsets[clock] !== undefined)
    .map((clock) => `${clock} ${offsets[clock]?.secs ?? 0} ${offsets[clock]?.nanosecs ?? 0}\n`)
    .join("");

/** Joins, from a program that was started in a container's other namespaces, its time namespace as well. */
export function compileTimeEntry(b: Builder, { what, from }: Named): void {
  b.about(`start ${what} in the time namespace`, from);
  joinTimeNamespace(b);
}

/** A program that enters a time namespace and executes a file. */
export function compileInTimeNamespace(named: Named, { path, args, env }: ExecutableFile): Program {
  const b = new Builder();
  b.about("close all but the standard streams on exec");
  b.call("close_range", [3, 0xffffffff, flags("CLOSE_RANGE_CLOEXEC")]);
  compileTimeEntry(b, named);
  b.about(`exec ${named.what}`, named.from);
  b.call("execve", [text(path), { strings: args }, { strings: env }]);
  return b.finish();
}
