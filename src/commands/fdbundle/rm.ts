import type { Command } from "commander";
import { findBundle } from "../../bundle/find-bundle.js";
import { inSession } from "./session.js";

export function defineRm(program: Command): void {
  program
    .command("rm <bundle...>")
    .description("remove bundles with all data in them, and layers that no other bundle has")
    .option("-f, --force", "also those that are in use")
    .action((paths: string[], { force }: { force?: boolean }) =>
      inSession(program, ({ store }) => {
        for (const path of paths) store.remove(findBundle(store.bundles(), path), force ?? false);
      }),
    );
}
