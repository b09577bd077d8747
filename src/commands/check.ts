import type { Command } from "commander";
import { checkHost, type Report } from "../check/check-host.js";
import { thisHost } from "../check/host.js";
import { ffi } from "../ffi/driver.js";
import { print } from "./print.js";

export function defineCheck(program: Command): void {
  program
    .command("check")
    .description("tell what this host offers and lacks; the exit status is 1 where usual containers cannot run")
    .option("--json", "as JSON")
    .action(({ json }: { json?: boolean }) => {
      const reports = checkHost(thisHost());
      print(json ? `${JSON.stringify(reports, null, 2)}\n` : reports.map(lines).join(""));
      if (reports.some(({ required, state }) => required && state === "missing")) ffi.exit(1);
    });
}

/** The width of the longest state, and two spaces. */
const INDENT = 9;

const lines = ({ name, state, found, means, advice }: Report): string =>
  `${state.padEnd(INDENT)}${name}: ${found} (for ${means})\n` +
  (advice === undefined ? "" : `${" ".repeat(INDENT)}what to do: ${advice}\n`);
