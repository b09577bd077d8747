import type { Command } from "commander";
import { start } from "../container/start.js";
import { globalsOf } from "./globals.js";

export function defineStart(program: Command): void {
  program
    .command("start")
    .description("run the program of a created container")
    .argument("<id>", "the name of the container")
    .action((id: string) => start(globalsOf(program), id));
}
