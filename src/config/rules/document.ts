import { ffi } from "../../ffi/driver.js";
import type { Config } from "../../generated/config.js";
import { wrong } from "../explain.js";
import { hasNamespace } from "./namespaces.js";

/** https://semver.org/spec/v2.0.0.html, items 2, 9 and 10. */
const SEMVER =
  /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-(0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*)(\.(0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*))*)?(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$/;

/** Later versions of major version 1 only add properties, so they are accepted. */
export function versionIsSupported({ ociVersion }: Config): void {
  const major = SEMVER.exec(ociVersion)?.[1];
  if (major === undefined) throw wrong("ociVersion", 'must be a version of SemVer 2.0.0 such as "1.3.0"', ociVersion);
  if (major !== "1") throw wrong("ociVersion", "must be of major version 1", ociVersion);
}

/** config.md, "root": required but for Hyper-V containers. */
export function rootIsGiven({ root }: Config): void {
  if (root === undefined) throw wrong("root", "is required");
  if (root.path === "") throw wrong("root.path", "must not be empty");
}

/** The longest name that sethostname(2) and setdomainname(2) take, in bytes. */
const LONGEST_NAME = 64;

/** Without a UTS namespace the host's own names would change. */
export function hostNamesHaveNamespace(config: Config): void {
  for (const key of ["hostname", "domainname"] as const) {
    const name = config[key];
    if (!name) continue;
    if (!hasNamespace(config, "uts")) throw wrong(key, "needs a uts namespace");
    if (ffi.encode(name).length > LONGEST_NAME) throw wrong(key, `must have at most ${LONGEST_NAME} bytes`, name);
  }
}
