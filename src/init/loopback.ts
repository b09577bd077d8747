import { ffi } from "../ffi/driver.js";
import { C } from "../linux/constants.js";
import { type Builder, flags, slot } from "./builder.js";

/** struct ifreq (netdevice(7)): sixteen bytes of the name, then the flags. */
const LOOPBACK_UP = (() => {
  const bytes = new Uint8Array(40);
  bytes.set(ffi.encode("lo"));
  new DataView(bytes.buffer).setUint16(16, C.IFF_UP | C.IFF_RUNNING, true);
  return { bytes, shown: '"lo", IFF_UP|IFF_RUNNING' };
})();

/** Makes 127.0.0.1 and ::1 work in a new network namespace, as the other runtimes do. */
export function bringLoopbackUp(b: Builder): void {
  b.about('bring up "lo"');
  // A socket of any family will do.
  b.call("socket", [flags("AF_UNIX"), flags("SOCK_DGRAM", "SOCK_CLOEXEC"), 0], { into: "socket" });
  b.call("ioctl", [slot("socket"), flags("SIOCSIFFLAGS"), LOOPBACK_UP]);
  b.close("socket");
}
