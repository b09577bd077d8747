import { readInRoot } from "./read-in-root.js";

/** The name of a user as /etc/passwd has it; undefined where it has none. passwd(5) */
export const userName = (uid: number): string | undefined =>
  readInRoot("/", "etc/passwd")
    .split("\n")
    .map((line) => line.split(":"))
    .find(([name, , id]) => name !== "" && id === String(uid))?.[0];
