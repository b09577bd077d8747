import { ffi } from "../ffi/driver.js";
import type { Process } from "../generated/config.js";
import { quote } from "../linux/file.js";
import { type Builder, openHow, slot, text } from "./builder.js";

/** Whether security modules are told what a process is. An empty label is none. */
export const isLabelled = ({ apparmorProfile, selinuxLabel }: Process): boolean =>
  Boolean(apparmorProfile || selinuxLabel);

/** The name "self" is a link, and what lies over a part of procfs is left out. */
const HOW = openHow("O_WRONLY|O_CLOEXEC", "RESOLVE_BENEATH|RESOLVE_NO_MAGICLINKS|RESOLVE_NO_XDEV");

/**
 * Compiles what the user's program is to security modules once it is executed, as late as can be: it is asked for by
 * the very user who then executes. Slot `proc` holds a procfs.
 */
export function compileLabels(b: Builder, { apparmorProfile, selinuxLabel }: Process): void {
  if (apparmorProfile) {
    const [older, opened] = [b.label(), b.label()];
    const hint = { ENOENT: "is a profile of that name loaded?" };
    b.about(`set the AppArmor profile ${quote(apparmorProfile)}`, "process.apparmorProfile", hint);
    // Where another module is in force, too, the file that they share is not AppArmor's.
    open(b, "self/attr/apparmor/exec", { on: { ENOENT: older }, then: opened });
    b.bind(older);
    open(b, "self/attr/exec");
    b.bind(opened);
    write(b, `exec ${apparmorProfile}`);
  }
  if (selinuxLabel) {
    b.about(`set the SELinux label ${quote(selinuxLabel)}`, "process.selinuxLabel");
    open(b, "self/attr/exec");
    write(b, selinuxLabel);
  }
}

function open(b: Builder, path: string, options = {}): void {
  b.slot("proc");
  b.call("openat2", [slot("proc"), text(path), ...HOW], { into: "file", ...options });
}

function write(b: Builder, content: string): void {
  const bytes = ffi.encode(content);
  b.call("write", [slot("file"), { bytes, shown: quote(content) }, bytes.length]);
  b.close("file");
}
