import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The repository's root; this file is compiled to dist/test/test/. */
export const ROOT: string = fileURLToPath(new URL("../../../", import.meta.url));

/** A folder of reference material that may lie beside the repository; undefined when it does not. */
export function shared(folder: string): string | undefined {
  const path = fileURLToPath(new URL(`../../../../shared/${folder}/`, import.meta.url));
  return existsSync(path) ? path : undefined;
}
