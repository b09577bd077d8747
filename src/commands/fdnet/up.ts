import type { Command } from "commander";
import { connect, type NetworkWishes } from "../../net/connect.js";
import { placesOf } from "./places.js";
import { readState } from "./read-state.js";

export function defineUp(program: Command): void {
  withNetworkOptions(program.command("up"))
    .description("give a container its network; its state, as JSON, comes on standard input (hook createRuntime)")
    .action((wishes: NetworkWishes) => {
      connect(placesOf(program), readState(), wishes);
    });
}

/** Defines the options that say which network. */
export function withNetworkOptions(command: Command): Command {
  return command
    .option("--net <network>", "none, host, container:ID, or the name of a network; several (default: bridge)", add)
    .option("--ip <address>", "the container's address; one a family", add, [])
    .option("--mac <address>", "its device's address")
    .option("--subnet <subnet>", "a network of these addresses; one a family", add, [])
    .option("--publish <ports>", "[ADDRESS:]PORT[-PORT]:PORT[-PORT][/tcp|udp|sctp], the host's ports first", add, [])
    .option("--dns <address>", "a name server, instead of the host's", add, [])
    .option("--hostname <name>", "the container's name in its /etc/hosts and /etc/hostname (default: its id)");
}

const add = (value: string, values: readonly string[] = []): string[] => [...values, value];
