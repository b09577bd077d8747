import type { Command } from "commander";
import { remove } from "../container/destroy.js";
import { globalsOf } from "./globals.js";

export function defineDelete(program: Command): void {
  program
    .command("delete")
    .description("remove a stopped container and what was made for it")
    .argument("<id>", "the name of the container")
    .option("-f, --force", "kill it first, if it runs; no error if there is none")
    .action((id: string, { force = false }: { force?: boolean }) => remove(globalsOf(program), id, force));
}
