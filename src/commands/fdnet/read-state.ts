import { ffi } from "../../ffi/driver.js";
import { Failure } from "../../linux/failure.js";
import { readAll } from "../../linux/file.js";
import type { Container } from "../../net/connect.js";

/** A container's state (runtime.md, "State") from standard input: `pid` is 0 where it has no process. Throws Failure. */
export function readState(): Container {
  const text = ffi.decode(readAll(0));
  try {
    const { id, pid = 0, bundle } = JSON.parse(text);
    if (typeof id === "string" && Number.isInteger(pid) && typeof bundle === "string") return { id, pid, bundle };
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof TypeError)) throw error;
  }
  throw new Failure("standard input", { cause: "is no container's state", hint: "`fdrunc state ID` prints one" });
}
