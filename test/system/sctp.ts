/**
 * A program that sends SCTP's first packet time and again, or waits for one and prints who has sent it: also where the
 * kernel itself knows no SCTP. Usage: sctp.js send ADDRESS PORT | sctp.js receive PORT
 */
import { viewOf } from "../../src/linux/bytes.js";
import { C } from "../../src/linux/constants.js";
import { read } from "../../src/linux/file.js";
import { sleep } from "../../src/linux/sleep.js";
import { sys } from "../../src/linux/syscall.js";
import { parseAddress } from "../../src/net/address.js";

const IPPROTO_SCTP = 132;

/** The checksum of RFC 9260, appendix A. */
function crc32c(bytes: Uint8Array): number {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  return ~crc >>> 0;
}

/** An INIT chunk in a packet; RFC 9260, sections 3.1 and 3.3.2. */
function init(port: number): Uint8Array {
  const packet = new Uint8Array(32);
  const view = viewOf(packet);
  view.setUint16(0, 5000);
  view.setUint16(2, port);
  view.setUint8(12, 1);
  view.setUint16(14, 20);
  view.setUint32(16, 0x12345678);
  view.setUint32(20, 65536);
  view.setUint16(24, 1);
  view.setUint16(26, 1);
  view.setUint32(28, 1);
  view.setUint32(8, crc32c(packet), true);
  return packet;
}

const socket = sys("socket", C.AF_INET, C.SOCK_RAW | C.SOCK_CLOEXEC, IPPROTO_SCTP);
const [, , command, ...args] = process.argv;
if (command === "send") {
  const to = new Uint8Array(16);
  viewOf(to).setUint16(0, C.AF_INET, true);
  to.set(parseAddress(args[0])?.bytes ?? [], 4);
  const packet = init(Number(args[1]));
  for (;;) {
    sys("sendto", socket, packet, packet.length, 0, to, to.length);
    sleep(100);
  }
}
for (const packet = new Uint8Array(2048); ; ) {
  read(socket, packet);
  const header = (packet[0] & 0xf) * 4;
  if (viewOf(packet).getUint16(header + 2) !== Number(args[0])) continue;
  console.log(packet.subarray(12, 16).join("."));
  break;
}
