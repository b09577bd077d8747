import { spawnSync } from "node:child_process";
import { dirname, join } from "node:path";
import type { TestContext } from "node:test";
import { ROOT } from "../folders.js";
import { asRoot, type Calling, type Result, type Scene } from "./harness.js";

const CANDIDATES = ["criu", join(ROOT, ".cache/criu/bin/criu")];

const works = CANDIDATES.find((path) => spawnSync(path, ["check"]).status === 0);

/** An environment in which `criu` is one that works on this kernel. */
const ENV: Record<string, string> =
  works === undefined || works === "criu" ? {} : { PATH: `${dirname(works)}:${process.env.PATH}` };

/** Why there is nothing to test with; false where there is. */
export const MISSING_CRIU: string | false =
  works === undefined
    ? "needs a criu that works on this kernel"
    : spawnSync("iptables-restore", ["--version"]).error
      ? "needs iptables, for criu"
      : false;

/** What tests with criu call: fdrunc, with a criu in its $PATH. */
export type Fdrunc = (args: readonly string[], calling?: Calling) => Result;

/** A test that wants a criu. */
export function withCriu(name: string, run: (s: Scene, fdrunc: Fdrunc, t: TestContext) => void | Promise<void>): void {
  asRoot(name, (s, t) => {
    if (MISSING_CRIU) return t.skip(MISSING_CRIU);
    return run(s, (args, calling = {}) => s.fdrunc(args, { ...calling, env: { ...ENV, ...calling.env } }), t);
  });
}

/** What is put into the environment of a program that calls fdrunc by itself. */
export const CRIU_ENV: Readonly<Record<string, string>> = ENV;
