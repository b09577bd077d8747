import { ffi } from "../ffi/driver.js";
import { loadDeviceProgram, replaceDevicePrograms } from "../linux/bpf.js";
import { C } from "../linux/constants.js";
import { open, using } from "../linux/file.js";
import { attemptAgain } from "../linux/syscall.js";
import { writeRefusal } from "./apply-settings.js";
import { type DevicePolicy, exceptionsOf } from "./device-policy.js";
import { deviceProgram } from "./device-program.js";
import { refusal } from "./setting.js";

/** Puts a policy into force in a directory of the v1 controller "devices". Throws Failure. */
export function applyDevicesV1(directory: string, policy: DevicePolicy): void {
  const [base, other] = policy.allow ? ["devices.allow", "devices.deny"] : ["devices.deny", "devices.allow"];
  writeRules(`${directory}/${base}`, ["a"]);
  const exceptions = exceptionsOf(policy);
  if (exceptions.length > 0) writeRules(`${directory}/${other}`, exceptions);
}

/** The kernel takes one rule a write. */
function writeRules(path: string, rules: readonly string[]): void {
  using(open(path, C.O_WRONLY), (fd) => {
    for (const rule of rules) {
      const bytes = ffi.encode(rule);
      const result = attemptAgain("write", fd, bytes, bytes.length);
      if (result < 0) throw writeRefusal("devices", path, rule, -result);
    }
  });
}

/** Puts a policy into force in a cgroup v2 directory. Throws Failure. */
export function applyDevicesV2(directory: string, policy: DevicePolicy): void {
  try {
    using(loadDeviceProgram(deviceProgram(policy)), (program) => {
      using(open(directory, C.O_RDONLY | C.O_DIRECTORY), (cgroup) => replaceDevicePrograms(cgroup, program));
    });
  } catch (cause) {
    throw refusal("devices", cause);
  }
}
