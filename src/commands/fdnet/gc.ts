import type { Command } from "commander";
import { collect } from "../../net/release.js";
import { print } from "../print.js";
import { placesOf } from "./places.js";

export function defineGc(program: Command): void {
  program
    .command("gc")
    .description("release what containers have left whose processes are gone, and print their names")
    .action(() => {
      const { released, failures } = collect(placesOf(program).root);
      print(released.map((id) => `${id}\n`).join(""));
      for (const failure of failures) throw failure;
    });
}
