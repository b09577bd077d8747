import type { Command } from "commander";

/** Defines the flags that say which network a container gets: those of NetworkWishes, but for the host's name. */
export function withNetworkFlags(command: Command): Command {
  return command
    .option("--net <network>", "none, host, container:ID, or the name of a network; several", addTo)
    .option("--ip <address>", "the container's address; one a family", addTo, [])
    .option("--mac <address>", "its device's address")
    .option("--subnet <subnet>", "a network of these addresses; one a family", addTo, [])
    .option(
      "-p, --publish <ports>",
      "[[ADDRESS:][PORT[-PORT]]:]PORT[-PORT][/tcp|udp|sctp], the host's ports first",
      addTo,
      [],
    )
    .option("--dns <address>", "a name server, instead of the host's", addTo, [])
    .option("--add-host <name:address>", "a further line of its /etc/hosts", addTo, []);
}

const addTo = (value: string, values: readonly string[] = []): string[] => [...values, value];
