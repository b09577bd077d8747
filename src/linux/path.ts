import { fromCstring } from "./bytes.js";
import { sys } from "./syscall.js";

/** A path from the root; one that does not start there is taken from the working directory. Throws SyscallError. */
export function absolutePath(path: string): string {
  if (path.startsWith("/")) return path;
  const bytes = new Uint8Array(4096);
  sys("getcwd", bytes, bytes.length);
  const directory = fromCstring(bytes);
  return path === "" || path === "." ? directory : `${directory === "/" ? "" : directory}/${path}`;
}
