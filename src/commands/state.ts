import type { Command } from "commander";
import { fullState } from "../container/state.js";
import { StateDirectory } from "../container/state-directory.js";
import { Failure } from "../linux/failure.js";
import { quote } from "../linux/file.js";
import { globalsOf } from "./globals.js";
import { print } from "./print.js";

export function defineState(program: Command): void {
  program
    .command("state")
    .description("print the state of a container as JSON")
    .argument("<id>", "the name of the container")
    .action((id: string) => {
      const saved = StateDirectory.open(globalsOf(program).root, id).read();
      if (saved === undefined) throw new Failure(`container ${quote(id)}`, { cause: "its creation was cut short" });
      print(`${JSON.stringify(fullState(saved), null, 2)}\n`);
    });
}
