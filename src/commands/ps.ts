import { type Command, Option } from "commander";
import { processesOf, processTable } from "../container/processes.js";
import { globalsOf } from "./globals.js";
import { print } from "./print.js";

export function definePs(program: Command): void {
  program
    .enablePositionalOptions() // It goes with passThroughOptions.
    .command("ps")
    .description("list the processes of a container")
    .argument("<id>", "the name of the container")
    .argument("[options...]", "what the host's ps(1) is told, instead of -ef")
    .passThroughOptions()
    .addOption(new Option("-f, --format <format>", "the format").choices(["table", "json"]).default("table"))
    .action((id: string, options: string[], { format }: { format: string }) => {
      const pids = processesOf(globalsOf(program), id);
      if (format === "json") print(`${pids.length === 0 ? "null" : JSON.stringify(pids)}\n`);
      else print(processTable(pids, options.length === 0 ? ["-ef"] : options));
    });
}
