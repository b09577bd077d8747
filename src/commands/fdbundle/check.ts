import type { Command } from "commander";
import { findFaults } from "../../bundle/find-faults.js";
import { Failure } from "../../linux/failure.js";
import { quote } from "../../linux/file.js";
import { print } from "../print.js";
import { inSession } from "./session.js";

export function defineCheck(program: Command): void {
  program
    .command("check")
    .description("look whether all of every bundle is in the store, and nothing else")
    .action(() =>
      inSession(program, ({ store }) => {
        const { faults, contents } = store.lookAt((found) => ({ faults: findFaults(store, found), contents: found }));
        print(faults.map((fault) => `${fault}\n`).join(""));
        if (faults.length > 0) throw new Failure(quote(store.path), { cause: `${faults.length} faults` });
        print(`nothing is wrong with ${contents.bundles.length} bundles and ${contents.layers.length} layers\n`);
      }),
    );
}
