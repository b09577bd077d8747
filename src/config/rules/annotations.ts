import type { Config } from "../../generated/config.js";
import { signalNumber } from "../../linux/signals.js";
import { ANNOTATIONS } from "../annotations.js";
import { member, wrong } from "../explain.js";

/** The specification's annotation with the signal that ends a container. */
export const STOP_SIGNAL = "org.opencontainers.image.stopSignal";

const PATHS = [
  ANNOTATIONS.hooksStdout,
  ANNOTATIONS.hooksStderr,
  ANNOTATIONS.pidfdReceiver,
  ANNOTATIONS.seccompReceiver,
] as const;

/** Those that name cgroups below another. */
const INNER = [ANNOTATIONS.systemdSubgroup, ANNOTATIONS.delegateCgroup] as const;

/** What the annotations may be that fdrunc obeys. */
const VALUES: Record<string, readonly string[]> = {
  [ANNOTATIONS.keepOriginalGroups]: ["0", "1"],
  [ANNOTATIONS.mountContextType]: ["context", "fscontext", "defcontext", "rootcontext"],
};

/** What of crun's cannot be obeyed: passed over, it would leave a container less confined than it is meant to be. */
const REFUSED: Record<string, string> = {
  "run.oci.handler": "there are no handlers",
  "run.oci.seccomp_bpf_data": "filters are made of linux.seccomp",
  "run.oci.seccomp.plugins": "there are no plugins",
};

/** config.md, "annotations": "Keys MUST NOT be an empty string"; and those that fdrunc obeys have a meaning. */
export function annotationsAreUnderstood({ annotations }: Config): void {
  if (annotations === undefined) return;
  const path = (name: string) => member("annotations", name);
  if ("" in annotations) throw wrong(path(""), "must not have an empty key");
  const signal = annotations[STOP_SIGNAL];
  if (signal && signalNumber(signal) === undefined) throw wrong(path(STOP_SIGNAL), "must be a signal", signal);
  for (const name in REFUSED)
    if (annotations[name] !== undefined) throw wrong(path(name), `is not supported: ${REFUSED[name]}`);
  for (const name of PATHS)
    if (annotations[name]?.startsWith("/") === false)
      throw wrong(path(name), "must be an absolute path", annotations[name]);
  for (const name of INNER)
    if (annotations[name] && /^\/|(^|\/)\.{0,2}(\/|$)/.test(annotations[name]))
      throw wrong(path(name), 'must be a relative path without "." or ".."', annotations[name]);
  for (const name in VALUES)
    if (annotations[name] !== undefined && !VALUES[name].includes(annotations[name]))
      throw wrong(path(name), `must be one of ${VALUES[name].join(", ")}`, annotations[name]);
}
