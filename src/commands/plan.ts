import { type Command, Option } from "commander";
import { plan } from "../container/plan.js";
import { listing, records } from "../machine/text.js";
import { type CreateFlags, createOptions, withCreateOptions } from "./create.js";
import { globalsOf } from "./globals.js";
import { print } from "./print.js";

export function definePlan(program: Command): void {
  withCreateOptions(program.command("plan").description("print every system call that a container's init will make"))
    .argument("[id]", "the name that the container would have", "container")
    .addOption(new Option("--format <format>", "the format").choices(["text", "json"]).default("text"))
    .action((id: string, flags: CreateFlags & { format: string }) => {
      const { launcher, init } = plan(createOptions(globalsOf(program), id, flags, true)).compiled;
      const programs = [launcher, init];
      print(flags.format === "json" ? `${JSON.stringify(records(programs), null, 2)}\n` : listing(programs));
    });
}
