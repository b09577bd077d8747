import { join } from "node:path";
import { ROOT } from "../folders.js";

/** A runtime that the engines are told of. */
export interface Runtime {
  readonly name: string;
  /** The path of its executable. */
  readonly path: string;
}

/** Debian's runc, to see what the engine and this machine can do at all, and fdrunc as users install it. */
export const RUNTIMES: readonly Runtime[] = [
  { name: "runc", path: "/usr/sbin/runc" },
  { name: "fdrunc", path: join(ROOT, "dist/fdrunc") },
];
