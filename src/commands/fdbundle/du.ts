import { type Command, Option } from "commander";
import { mebibytes } from "../../bundle/mebibytes.js";
import { usageOf } from "../../bundle/usage.js";
import { columns } from "../columns.js";
import { print } from "../print.js";
import { inSession } from "./session.js";

export function defineDu(program: Command): void {
  program
    .command("du")
    .description("show how much disk space bundles and layers take")
    .addOption(new Option("-f, --format <format>", "the format").choices(["table", "json"]).default("table"))
    .action(({ format }: { format: string }) =>
      inSession(program, ({ store }) => {
        const usage = usageOf(store);
        if (format === "json") return void print(`${JSON.stringify(usage)}\n`);
        const bundles = usage.bundles.map(({ path, image, store: kind, own, layers }) => [
          path,
          image,
          kind,
          mebibytes(own),
          mebibytes(layers),
        ]);
        const layers = usage.layers.map(({ id, store: kind, bundles: count, size }) => [
          id,
          kind,
          String(count),
          mebibytes(size),
        ]);
        print(columns([["BUNDLE", "IMAGE", "STORE", "OWN", "LAYERS"], ...bundles]));
        if (layers.length > 0) print(`\n${columns([["LAYER", "STORE", "BUNDLES", "SIZE"], ...layers])}`);
        print(`\ntotal: ${mebibytes(usage.total)}\n`);
      }),
    );
}
