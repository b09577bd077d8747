import { type Command, InvalidArgumentError, Option } from "commander";
import { checkpoint } from "../container/checkpoint.js";
import { type CriuFlags, criuOptions, withCriuOptions } from "./criu-flags.js";
import { globalsOf } from "./globals.js";

interface CheckpointFlags extends CriuFlags {
  parentPath?: string;
  leaveRunning?: boolean;
  preDump?: boolean;
  tcpSkipInFlight?: boolean;
  linkRemap?: boolean;
  pageServer?: { address: string; port: number };
  statusFd?: number;
}

export function defineCheckpoint(program: Command): void {
  withCriuOptions(program.command("checkpoint").description("save a running container's processes by criu"))
    .argument("<id>", "the name of the container")
    .option("--parent-path <directory>", "an earlier checkpoint, relative to --image-path, to save the differences of")
    .option("--leave-running", "let the container go on")
    .option("--pre-dump", "save memory alone, ahead of a checkpoint, and let the container go on")
    .option("--tcp-skip-in-flight", "pass over TCP connections that are just being made")
    .option("--link-remap", "save files that are open and deleted by linking them")
    .addOption(new Option("--page-server <address:port>", "where to send memory to").argParser(parseAddress))
    .addOption(
      new Option(
        "--status-fd <number>",
        "the descriptor to write a zero byte to once lazy pages can be fetched",
      ).argParser(parseDescriptor),
    )
    .action((id: string, flags: CheckpointFlags) => {
      const { parentPath, leaveRunning = false, preDump = false, pageServer, statusFd } = flags;
      checkpoint(globalsOf(program), id, {
        ...criuOptions(flags),
        leaveRunning,
        preDump,
        tcpSkipInFlight: flags.tcpSkipInFlight ?? false,
        linkRemap: flags.linkRemap ?? false,
        ...(parentPath !== undefined && { parentPath }),
        ...(pageServer !== undefined && { pageServer }),
        ...(statusFd !== undefined && statusFd >= 0 && { statusFd }),
      });
    });
}

/** An address with a port: "127.0.0.1:27", "[::1]:27". */
function parseAddress(text: string): { address: string; port: number } {
  const [, bare, bracketed, port] = /^(?:([^:[\]]+)|\[([^\]]+)\]):(\d{1,5})$/.exec(text) ?? [];
  const address = bare ?? bracketed;
  if (address === undefined || Number(port) > 65535) throw new InvalidArgumentError("not of the form ADDRESS:PORT");
  return { address, port: Number(port) };
}

/** A descriptor's number; -1 stands for none. */
function parseDescriptor(text: string): number {
  if (!/^(-1|\d{1,5})$/.test(text)) throw new InvalidArgumentError("not a descriptor's number");
  return Number(text);
}
