import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { join } from "node:path";

/** A command in a document, and what the document says that it prints; "…" stands for anything. */
interface Exchange {
  readonly command: string;
  readonly output: string;
}

/** The exchanges in a Markdown document's blocks of language "console": lines "$ COMMAND", the others are output. */
function exchanges(markdown: string): Exchange[] {
  const blocks = [...markdown.matchAll(/^```console\n(.*?)^```$/gms)].map(([, block]) => block);
  return blocks.flatMap((block) =>
    block
      .split(/^\$ /m)
      .slice(1)
      .map((text) => {
        const end = text.indexOf("\n");
        return { command: text.slice(0, end), output: text.slice(end + 1) };
      }),
  );
}

const PROMPT = "/ # ";

/** A plan's text without the steps' numbers: these depend on the host's cgroups. */
const unnumbered = (text: string): string => text.replace(/^ +\d+ {2}|\bstep \d+/gm, "step");

/** Goes through a document's exchanges, each in a shell of its own; `cd DIRECTORY` has effect on those that follow. */
export async function follow(markdown: string, directory: string, path: string): Promise<void> {
  let cwd = directory;
  for (const exchange of exchanges(markdown)) {
    const [, into] = /^cd (\S+)$/.exec(exchange.command) ?? [];
    if (into === undefined) await converse(exchange, cwd, path);
    else cwd = join(cwd, into);
  }
}

/** Runs an exchange's command, types what follows the shell prompts in its output, and asserts that it prints the rest. */
async function converse({ command, output }: Exchange, cwd: string, path: string): Promise<void> {
  const typed = output.split("\n").flatMap((line) => (line.startsWith(PROMPT) ? [line.slice(PROMPT.length)] : []));
  const env = { ...process.env, PATH: `${path}:${process.env.PATH}` };
  const child = spawn("sh", ["-c", `exec 2>&1; ${command}`], { cwd, env, stdio: ["pipe", "pipe", "inherit"] });
  // A shell that has ended need not have read all.
  child.stdin.on("error", () => {});
  if (typed.length === 0) child.stdin.end();
  let printed = "";
  child.stdout.setEncoding("utf8").on("data", (text) => {
    // Shells ask the terminal where its cursor is.
    printed = (printed + text).replaceAll("\r\n", "\n").replaceAll("\x1b[6n", "");
    if (printed.endsWith(PROMPT) && typed.length > 0) child.stdin.write(`${typed.shift()}\n`);
  });
  await new Promise((resolve, reject) => child.on("close", resolve).on("error", reject));
  const told = unnumbered(output)
    .split("…")
    .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  assert.match(unnumbered(printed), new RegExp(`^${told.join("[^]*?")}$`), `$ ${command}`);
}
