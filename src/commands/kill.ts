import type { Command } from "commander";
import { kill } from "../container/kill.js";
import { eachMatching } from "../container/matching.js";
import { Failure } from "../linux/failure.js";
import { quote } from "../linux/file.js";
import { signalNumber } from "../linux/signals.js";
import { globalsOf } from "./globals.js";

interface KillFlags {
  all?: boolean;
  regex?: boolean;
}

export function defineKill(program: Command): void {
  program
    .command("kill")
    .description("send a signal to a container's first process")
    .argument("<id>", "the name of the container")
    .argument("[signal]", "the signal's name or number, else that of the image, else SIGTERM")
    .option("-a, --all", "send it to all processes of the container")
    .option("-r, --regex", "send it to every container whose name the regular expression <id> matches")
    .action((id: string, name: string | undefined, { all = false, regex = false }: KillFlags) => {
      const signal = name === undefined ? undefined : parseSignal(name);
      const globals = globalsOf(program);
      const act = (one: string) => kill(globals, one, signal, all);
      if (regex) eachMatching(globals, id, act);
      else act(id);
    });
}

function parseSignal(name: string): number {
  const number = signalNumber(name);
  if (number === undefined) throw new Failure(`signal ${quote(name)}`, { cause: "unknown" });
  return number;
}
