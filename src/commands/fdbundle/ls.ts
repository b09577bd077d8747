import { type Command, Option } from "commander";
import { columns } from "../columns.js";
import { print } from "../print.js";
import { inSession } from "./session.js";

export function defineLs(program: Command): void {
  program
    .command("ls")
    .description("list the bundles")
    .addOption(new Option("-f, --format <format>", "the format").choices(["table", "json"]).default("table"))
    .option("-q, --quiet", "only their directories")
    .action(({ format, quiet }: { format: string; quiet?: boolean }) =>
      inSession(program, ({ store }) => {
        const bundles = store.bundles().map(({ record: { path, image, store: kind, created } }) => ({
          path,
          image,
          store: kind,
          created,
        }));
        if (quiet) print(bundles.map(({ path }) => `${path}\n`).join(""));
        else if (format === "json") print(`${JSON.stringify(bundles)}\n`);
        else
          print(columns([["BUNDLE", "IMAGE", "STORE", "CREATED"], ...bundles.map((bundle) => Object.values(bundle))]));
      }),
    );
}
