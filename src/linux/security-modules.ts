import { exists, readFile } from "./file.js";

/** Whether AppArmor is in force. apparmor(7) */
export function hasAppArmor(): boolean {
  const file = "/sys/module/apparmor/parameters/enabled";
  return exists(file) && readFile(file).startsWith("Y");
}

/** Whether SELinux is in force: else its file system is not there. selinux(8) */
export const hasSelinux = (): boolean => /^nodev\tselinuxfs$/m.test(readFile("/proc/filesystems"));
