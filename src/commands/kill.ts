import type { Command } from "commander";
import { kill } from "../container/kill.js";
import { eachMatching } from "../container/matching.js";
import { Failure } from "../linux/failure.js";
import { quote } from "../linux/file.js";
import { signalNumber } from "../linux/signals.js";
import { globalsOf } from "./globals.js";

export function defineKill(program: Command): void {
  program
    .command("kill")
    .description("send a signal to a container's first process")
    .argument("<id>", "the name of the container")
    .argument("[signal]", "the signal's name or number", "SIGTERM")
    .option("-a, --all", "send it to all processes of the container")
    .option("-r, --regex", "send it to every container whose name the regular expression <id> matches")
    .action((id: string, name: string, { all = false, regex = false }: { all?: boolean; regex?: boolean }) => {
      const number = signalNumber(name);
      if (number === undefined) throw new Failure(`signal ${quote(name)}`, { cause: "unknown" });
      const globals = globalsOf(program);
      const act = (one: string) => kill(globals, one, number, all);
      if (regex) eachMatching(globals, id, act);
      else act(id);
    });
}
