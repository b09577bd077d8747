import type { Command } from "commander";
import { disconnect } from "../../net/connect.js";
import { placesOf } from "./places.js";
import { readState } from "./read-state.js";

export function defineDown(program: Command): void {
  program
    .command("down")
    .description("take a container's network back; without an id its state comes on standard input (hook poststop)")
    .argument("[id]", "the name of the container")
    .option("-f, --force", "forget it, even if plugins fail")
    .action((id: string | undefined, { force }: { force?: boolean }) =>
      disconnect(placesOf(program).root, id ?? readState().id, force ?? false),
    );
}
