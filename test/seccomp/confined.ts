/**
 * A process that confines itself by filters on top of each other: a small one, one with far jumps, and an everyday one.
 * Prints as JSON the results of seccomp(2) and of system calls that the filters decide on.
 */
import { writeSync } from "node:fs";
import { ffi } from "../../src/ffi/driver.js";
import type { Seccomp } from "../../src/generated/config.js";
import { words } from "../../src/linux/bytes.js";
import { C } from "../../src/linux/constants.js";
import { attempt } from "../../src/linux/syscall.js";
import { compileSeccomp, filterFlags } from "../../src/seccomp/compile.js";
import { EVERYDAY, profile, rule } from "./profiles.js";

function install(seccomp: Seccomp): number {
  const filter = compileSeccomp(seccomp, ffi.arch);
  const flags = filterFlags(seccomp);
  const program = words(filter.length / 8, ffi.addressOf(filter));
  return attempt("seccomp", C.SECCOMP_SET_MODE_FILTER, flags, program);
}

const small = profile("ALLOW", [
  rule("sethostname", "ERRNO", [], 99),
  rule(
    "lseek",
    "ERRNO",
    [
      [0, "EQ", 2n ** 64n - 1n],
      [1, "LT", 10],
    ],
    77,
  ),
  rule("lseek", "ERRNO", [[1, "MASKED_EQ", 0xff00, 0x1200]], 78),
  rule("getppid", "TRACE"),
]);
const far = profile(
  "ALLOW",
  Array.from({ length: 800 }, (_, i) => rule("lseek", "ERRNO", [[2, "EQ", 100 + 2 * i]], 1 + i)),
);

const results = [
  attempt("prctl", C.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
  install(small),
  install(far),
  attempt("sethostname", null, 0),
  attempt("lseek", -1, 9, 0),
  attempt("lseek", -1, 10, 0),
  attempt("lseek", -1, 0x1234, 0),
  attempt("lseek", -1, 0x1_0000_0009, 0),
  attempt("getppid"),
  attempt("lseek", -1, 20, 100),
  attempt("lseek", -1, 20, 1698),
  attempt("lseek", -1, 20, 1699),
  install(EVERYDAY),
  attempt("unshare", 0),
];
writeSync(1, JSON.stringify(results));
