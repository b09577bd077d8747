import type { Command } from "commander";
import { connect, type NetworkWishes } from "../../net/connect.js";
import { withNetworkFlags } from "../network-flags.js";
import { placesOf } from "./places.js";
import { readState } from "./read-state.js";

export function defineUp(program: Command): void {
  withNetworkFlags(program.command("up"))
    .option("--hostname <name>", "the container's name in its /etc/hosts and /etc/hostname (default: its id)")
    .description("give a container its network; its state, as JSON, comes on standard input (hook createRuntime)")
    .action((wishes: NetworkWishes) => {
      connect(placesOf(program), readState(), wishes);
    });
}
