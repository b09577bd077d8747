import type { Command } from "commander";
import { remove } from "../container/destroy.js";
import { eachMatching } from "../container/matching.js";
import { globalsOf } from "./globals.js";

export function defineDelete(program: Command): void {
  program
    .command("delete")
    .description("remove a stopped container and what was made for it")
    .argument("<id>", "the name of the container")
    .option("-f, --force", "kill it first, if it runs; no error if there is none")
    .option("-r, --regex", "remove every container whose name the regular expression <id> matches")
    .action((id: string, { force = false, regex = false }: { force?: boolean; regex?: boolean }) => {
      const globals = globalsOf(program);
      const act = (one: string) => remove(globals, one, force);
      if (regex) eachMatching(globals, id, act);
      else act(id);
    });
}
