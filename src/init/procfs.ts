import type { Config } from "../generated/config.js";
import { AT_FDCWD, type Builder, flags, text } from "./builder.js";
import { createFileSystem } from "./create-file-system.js";
import { isLabelled } from "./labels.js";
import { requireProc } from "./target.js";

/**
 * Compiles that slot `proc` holds a procfs of the container's namespaces, where something is to be written there: the one
 * that the config mounts, or one that is attached nowhere.
 */
export function makeProcfs(b: Builder, { mounts = [], process, linux }: Config): void {
  const parameters = Object.keys(linux?.sysctl ?? {}).length > 0;
  if (!parameters && (process === undefined || !isLabelled(process))) return;
  if (mounts.some(({ type, destination }) => type === "proc" && destination === "/proc")) return;
  b.about("make a procfs to write to", parameters ? "linux.sysctl" : "process");
  createFileSystem(b, "proc", "proc", [], [], "proc");
}

/** Compiles that slot `proc` holds what a process that is added to a container finds at /proc, if that is procfs. */
export function openProcfs(b: Builder): void {
  b.about('open "/proc" to write to', "process");
  b.call("openat", [AT_FDCWD, text("/proc"), flags("O_PATH", "O_DIRECTORY", "O_NOFOLLOW", "O_CLOEXEC"), 0], {
    into: "proc",
  });
  requireProc(b, "proc");
}
