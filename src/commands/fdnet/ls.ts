import { type Command, Option } from "commander";
import { portsOf } from "../../net/cni-network.js";
import { addressesOf, networkAttachments } from "../../net/connect.js";
import { formatMapping } from "../../net/port-mapping.js";
import { isAlive, Records } from "../../net/records.js";
import { columns } from "../columns.js";
import { print } from "../print.js";
import { placesOf } from "./places.js";

export function defineLs(program: Command): void {
  program
    .command("ls")
    .description("list the containers that have a network")
    .addOption(new Option("-f, --format <format>", "the format").choices(["table", "json"]).default("table"))
    .option("-q, --quiet", "only their names")
    .action(({ format, quiet }: { format: string; quiet?: boolean }) => {
      const { root } = placesOf(program);
      const containers = Records.list(root).flatMap((name) => {
        const record = Records.peek(root, name);
        if (record === undefined) return [];
        const networks = networkAttachments(record).map(({ network }) => network.name);
        const { id, pid } = record;
        const ports = networkAttachments(record).flatMap(portsOf).map(formatMapping);
        return { id, pid: isAlive(record) ? pid : 0, networks, addresses: addressesOf(record), ports };
      });
      if (quiet) print(containers.map(({ id }) => `${id}\n`).join(""));
      else if (format === "json") print(`${JSON.stringify(containers)}\n`);
      else
        print(
          columns([
            ["ID", "PID", "NETWORKS", "ADDRESSES", "PORTS"],
            ...containers.map(({ id, pid, networks, addresses, ports }) => [
              id,
              String(pid),
              networks.join(","),
              addresses.join(","),
              ports.join(","),
            ]),
          ]),
        );
    });
}
