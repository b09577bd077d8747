import { type Command, Option } from "commander";
import { columns } from "../columns.js";
import { print } from "../print.js";
import { inSession } from "./session.js";

export function defineVolume(program: Command): void {
  const volume = program.command("volume").description("list and remove the volumes that have names");
  volume
    .command("ls")
    .description("list the volumes, each with the bundles that use it")
    .addOption(new Option("-f, --format <format>", "the format").choices(["table", "json"]).default("table"))
    .option("-q, --quiet", "only their names")
    .action(({ format, quiet }: { format: string; quiet?: boolean }) =>
      inSession(program, ({ store }) => {
        const volumes = store.namedVolumes();
        if (quiet) print(volumes.map(({ name }) => `${name}\n`).join(""));
        else if (format === "json") print(`${JSON.stringify(volumes)}\n`);
        else
          print(
            columns([
              ["VOLUME", "BUNDLES", "PATH"],
              ...volumes.map(({ name, path, bundles }) => [name, String(bundles.length), path]),
            ]),
          );
      }),
    );
  volume
    .command("rm <name...>")
    .description("remove volumes with all data in them, where no bundle uses them, and print their names")
    .action((names: string[]) =>
      inSession(program, ({ store }) => {
        for (const name of names) {
          store.removeVolume(name);
          print(`${name}\n`);
        }
      }),
    );
}
