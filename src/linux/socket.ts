import { ffi } from "../ffi/driver.js";
import { viewOf, words } from "./bytes.js";
import { C } from "./constants.js";
import { close, type Fd, quote } from "./file.js";
import { attemptAgain, must, sys } from "./syscall.js";

/** A pair of connected packet sockets, close-on-exec. Throws SyscallError. socketpair(2) */
export function socketPair(): [Fd, Fd] {
  const pair = new Int32Array(2);
  sys("socketpair", C.AF_UNIX, C.SOCK_SEQPACKET | C.SOCK_CLOEXEC, 0, new Uint8Array(pair.buffer));
  return [pair[0], pair[1]];
}

/** The longest path of a socket, without its NUL: sun_path of unix(7). */
const LONGEST = 107;

/** struct sockaddr_un of a path. Longer ones than it takes go by way of their directory's descriptor. */
function unixAddress(path: string): Uint8Array {
  const bytes = ffi.encode(path);
  const address = new Uint8Array(2 + bytes.length + 1);
  viewOf(address).setUint16(0, C.AF_UNIX, true);
  address.set(bytes, 2);
  return address;
}

/** Runs `use` with an address that reaches `name` in the directory, however long the directory's path is. */
const addressIn = (directory: Fd, name: string): Uint8Array => unixAddress(`/proc/self/fd/${directory}/${name}`);

/** A socket that waits for connections at a name in a directory. Throws SyscallError. */
export function listenUnix(directory: Fd, name: string): Fd {
  const socket = sys("socket", C.AF_UNIX, C.SOCK_SEQPACKET | C.SOCK_CLOEXEC, 0);
  try {
    const address = addressIn(directory, name);
    must("bind", `bind socket ${quote(name)}`, attemptAgain("bind", socket, address, address.length));
    sys("listen", socket, 1);
    return socket;
  } catch (error) {
    close(socket);
    throw error;
  }
}

/** Connects to the packet socket at a name in a directory. Throws SyscallError. */
export function connectIn(directory: Fd, name: string): Fd {
  return connect(C.SOCK_SEQPACKET, addressIn(directory, name), name);
}

/**
 * Connects to a socket by path. `patience` is how long connecting and sending may each wait for the other side, in
 * seconds: then they fail with EAGAIN. Throws SyscallError; RangeError where the path is too long for one. socket(7)
 */
export function connectUnix(path: string, type: number = C.SOCK_STREAM, patience?: number): Fd {
  if (ffi.encode(path).length > LONGEST) throw new RangeError(`the socket's path is longer than ${LONGEST} bytes`);
  return connect(type, unixAddress(path), path, patience);
}

function connect(type: number, address: Uint8Array, shown: string, patience?: number): Fd {
  const socket = sys("socket", C.AF_UNIX, type | C.SOCK_CLOEXEC, 0);
  try {
    if (patience !== undefined) sys("setsockopt", socket, C.SOL_SOCKET, C.SO_SNDTIMEO, words(patience, 0), 16);
    must("connect", `connect to ${quote(shown)}`, attemptAgain("connect", socket, address, address.length));
    return socket;
  } catch (error) {
    close(socket);
    throw error;
  }
}

/** A message: its bytes (none at the end of the connection), and the descriptor that came along. */
export interface Received {
  readonly bytes: Uint8Array;
  readonly fd?: Fd;
}

/** Sends text with a descriptor, which goes with its first byte. Throws SyscallError. sendmsg(2) */
export function sendDescriptor(socket: Fd, text: string, fd: Fd): void {
  const bytes = ffi.encode(text);
  const control = words(20, C.SOL_SOCKET + C.SCM_RIGHTS * 0x100000000, fd);
  const vector = words(ffi.addressOf(bytes), bytes.length);
  const header = words(0, 0, ffi.addressOf(vector), 1, ffi.addressOf(control), 24, 0);
  sendAll(socket, bytes.subarray(sys("sendmsg", socket, header, C.MSG_NOSIGNAL)));
}

/** Sends all of it: one packet, or a part of a stream. Throws SyscallError. */
export function sendAll(socket: Fd, bytes: Uint8Array): void {
  let rest = bytes;
  while (rest.length > 0) rest = rest.subarray(sys("sendto", socket, rest, rest.length, C.MSG_NOSIGNAL, null, 0));
}

/** Receives one packet of at most `size` bytes, with at most one descriptor. Throws SyscallError. recvmsg(2) */
export function receive(socket: Fd, size: number): Received {
  const bytes = new Uint8Array(size);
  const control = new Uint8Array(24);
  const vector = words(ffi.addressOf(bytes), size);
  const header = words(0, 0, ffi.addressOf(vector), 1, ffi.addressOf(control), control.length, 0);
  const count = sys("recvmsg", socket, header, C.MSG_CMSG_CLOEXEC);
  const view = viewOf(control);
  const carries = view.getUint32(8, true) === C.SOL_SOCKET && view.getUint32(12, true) === C.SCM_RIGHTS;
  return { bytes: bytes.subarray(0, count), ...(carries && { fd: view.getInt32(16, true) }) };
}
