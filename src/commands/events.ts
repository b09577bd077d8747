import { type Command, InvalidArgumentError, Option } from "commander";
import { formatJson } from "../config/json.js";
import { type Event, statsEvent, watchEvents } from "../container/events.js";
import { parseDuration } from "./duration.js";
import { globalsOf } from "./globals.js";
import { print } from "./print.js";

export function defineEvents(program: Command): void {
  program
    .command("events")
    .description("print what a container uses, time and again, and when it lacks memory, as JSON, until it ends")
    .argument("<id>", "the name of the container")
    .addOption(
      new Option("--interval <duration>", "how often to print what it uses: 500ms, 1m30s")
        .argParser(parseInterval)
        .default(5000, "5s"),
    )
    .option("--stats", "print once what it uses, and nothing else")
    .action((id: string, { interval, stats }: { interval: number; stats?: boolean }) => {
      const tell = (event: Event) => print(`${formatJson(event)}\n`);
      if (stats) tell(statsEvent(globalsOf(program), id));
      else watchEvents(globalsOf(program), id, interval, tell);
    });
}

function parseInterval(text: string): number {
  const interval = parseDuration(text);
  if (interval === undefined) throw new InvalidArgumentError("not a duration");
  if (interval <= 0) throw new InvalidArgumentError("duration interval must be greater than 0");
  return interval;
}
