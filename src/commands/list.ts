import { type Command, Option } from "commander";
import type { GlobalOptions } from "../container/options.js";
import { type FullState, fullState } from "../container/state.js";
import { NoContainer, StateDirectory } from "../container/state-directory.js";
import { columns } from "./columns.js";
import { globalsOf } from "./globals.js";
import { print } from "./print.js";

export function defineList(program: Command): void {
  program
    .command("list")
    .description("list the containers")
    .addOption(new Option("-f, --format <format>", "the format").choices(["table", "json"]).default("table"))
    .option("-q, --quiet", "only their names")
    .action(({ format, quiet }: { format: string; quiet?: boolean }) => {
      const states = allStates(globalsOf(program));
      if (quiet) print(states.map(({ id }) => `${id}\n`).join(""));
      else if (format === "json") print(`${states.length === 0 ? "null" : JSON.stringify(states)}\n`);
      else print(table(states));
    });
}

/** The containers whose creation has come far enough for them to have a state. */
function allStates({ root, warn }: GlobalOptions): FullState[] {
  const states: FullState[] = [];
  for (const id of StateDirectory.list(root)) {
    try {
      const directory = StateDirectory.open(root, id);
      const saved = directory.read();
      directory.close();
      if (saved !== undefined) states.push(fullState(saved));
    } catch (error) {
      if (error instanceof NoContainer) continue; // Deleted since the directory was read.
      if (!(error instanceof Error)) throw error;
      // One that cannot be read does not hide the rest.
      warn(error.message);
    }
  }
  return states;
}

function table(states: readonly FullState[]): string {
  return columns([
    ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"],
    ...states.map(({ id, pid, status, bundle, created, owner }) => [id, String(pid), status, bundle, created, owner]),
  ]);
}
