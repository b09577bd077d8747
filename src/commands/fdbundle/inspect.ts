import type { Command } from "commander";
import { findBundle } from "../../bundle/find-bundle.js";
import { print } from "../print.js";
import { inSession } from "./session.js";

export function defineInspect(program: Command): void {
  program
    .command("inspect <bundle>")
    .description("print what the store knows of a bundle, as JSON")
    .action((path: string) =>
      inSession(program, ({ store }) => {
        const { own, record } = findBundle(store.bundles(), path);
        const { image, created, store: kind, layers } = record;
        const mounts = store.store(kind).mountPoints(own);
        print(`${JSON.stringify({ path: record.path, image, created, store: kind, layers, own, mounts }, null, 2)}\n`);
      }),
    );
}
