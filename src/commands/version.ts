import { NUMBER } from "../config/version.js";
import { ffi } from "../ffi/driver.js";
import { COMMIT } from "../generated/commit.js";

/** The newest version of the OCI runtime specification that is implemented. */
export const SPEC_VERSION = "1.3.0";

/** What `--version` prints: runc's lines, which engines take apart. */
export const VERSION = [
  `fdrunc version ${NUMBER}`,
  ...(COMMIT === "" ? [] : [`commit: ${COMMIT}`]),
  `spec: ${SPEC_VERSION}`,
  ffi.engine,
].join("\n");
