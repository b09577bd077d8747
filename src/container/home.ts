import { readInRoot } from "../linux/read-in-root.js";

/** The home directory of a user as /etc/passwd inside a root file system has it (passwd(5)); "/" where it does not. */
export function homeOf(rootfs: string, uid: number): string {
  for (const line of readInRoot(rootfs, "etc/passwd").split("\n")) {
    const fields = line.split(":");
    if (fields[2] === String(uid) && fields[5]) return fields[5];
  }
  return "/";
}
