import type { Command } from "commander";
import { findBundle } from "../../bundle/find-bundle.js";
import { inSession } from "./session.js";

export function defineMount(program: Command): void {
  program
    .command("mount [bundle...]")
    .description("mount bundles' root file systems, after a restart of the machine: all, or those that are named")
    .action((paths: string[]) =>
      inSession(program, ({ store }) => {
        const all = store.bundles();
        for (const bundle of paths.length > 0 ? paths.map((path) => findBundle(all, path)) : all) store.mount(bundle);
      }),
    );
}
