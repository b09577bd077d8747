import type { Command } from "commander";
import { print } from "../print.js";
import { inSession } from "./session.js";

export function defineGc(program: Command): void {
  program
    .command("gc")
    .description("remove what is kept for bundles whose directories are gone, and what killed commands have left")
    .action(() =>
      // What was left is gone when the store is open.
      inSession(program, ({ store }) => {
        for (const path of store.forgetGone()) print(`${path}\n`);
      }),
    );
}
