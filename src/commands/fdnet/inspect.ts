import type { Command } from "commander";
import { inspect } from "../../net/connect.js";
import { print } from "../print.js";
import { placesOf } from "./places.js";

export function defineInspect(program: Command): void {
  program
    .command("inspect")
    .description("print what a container has, as JSON: configurations, results, files")
    .argument("<id>", "the name of the container")
    .option("--check", "have the plugins see whether all is there, first")
    .action((id: string, { check }: { check?: boolean }) => {
      const record = inspect(placesOf(program).root, id, check ?? false);
      print(`${JSON.stringify(record, null, 2)}\n`);
    });
}
