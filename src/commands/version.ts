import { NUMBER } from "../config/version.js";

/** The newest version of the OCI runtime specification that is implemented. */
export const SPEC_VERSION = "1.3.0";

/** What `--version` prints: lines that engines take apart. */
export const VERSION = `fdrunc version ${NUMBER}\nspec: ${SPEC_VERSION}`;
