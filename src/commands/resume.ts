import type { Command } from "commander";
import { resume } from "../container/pause.js";
import { globalsOf } from "./globals.js";

export function defineResume(program: Command): void {
  program
    .command("resume")
    .description("let the processes of a paused container go on")
    .argument("<id>", "the name of the container")
    .action((id: string) => resume(globalsOf(program), id));
}
