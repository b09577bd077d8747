import type { Command } from "commander";
import { findBundle } from "../../bundle/find-bundle.js";
import { inSession } from "./session.js";

export function defineUnmount(program: Command): void {
  program
    .command("unmount <bundle...>")
    .description("unmount bundles' root file systems; what is in them stays")
    .option("-f, --force", "also those that are in use")
    .action((paths: string[], { force }: { force?: boolean }) =>
      inSession(program, ({ store }) => {
        for (const path of paths) store.unmount(findBundle(store.bundles(), path), force ?? false);
      }),
    );
}
