import { CommanderError } from "commander";
import { Failure } from "../linux/failure.js";

/** What to tell of an error that ends the command `tool`, in one line. */
export function messageOf(error: unknown, tool: string): string {
  if (error instanceof CommanderError)
    return error.code === "commander.help"
      ? `no command given (see ${tool} --help)`
      : error.message.replace(/^error: /, "");
  if (!(error instanceof Error)) return String(error);
  // Anything but a Failure or a system call's error is a fault of our own: its place helps.
  const isTold = error instanceof Failure || "syscall" in error;
  return (isTold ? error.message : `internal error: ${error.message} ${error.stack ?? ""}`).replace(/\s*\n\s*/g, " ");
}
