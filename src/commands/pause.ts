import type { Command } from "commander";
import { pause } from "../container/pause.js";
import { globalsOf } from "./globals.js";

export function definePause(program: Command): void {
  program
    .command("pause")
    .description("stop all processes of a container, until it is resumed")
    .argument("<id>", "the name of the container")
    .action((id: string) => pause(globalsOf(program), id));
}
