import assert from "node:assert/strict";
import { ffi } from "../../src/ffi/driver.js";
import { viewOf } from "../../src/linux/bytes.js";
import { C } from "../../src/linux/constants.js";
import { EIO } from "../../src/linux/errno.js";
import { close, type Fd, read, writeAll } from "../../src/linux/file.js";
import { pollReadable } from "../../src/linux/process.js";
import { receive } from "../../src/linux/socket.js";
import { SyscallError, sys } from "../../src/linux/syscall.js";
import type { Scene } from "./harness.js";

/** The controlling end of a container's terminal, and what has come out of it. */
export class Terminal {
  output = "";

  constructor(readonly fd: Fd) {}

  write(text: string): void {
    writeAll(this.fd, text);
  }

  /** Reads until a text has come out, or, without one, until all others have closed the terminal. */
  expect(text?: string, seconds = 30): string {
    const end = Date.now() + seconds * 1000;
    while (text === undefined || !this.output.includes(text)) {
      const left = end - Date.now();
      assert.ok(left > 0 && pollReadable([this.fd], left).length > 0, `no ${text} in ${JSON.stringify(this.output)}`);
      if (!this.readSome()) {
        assert.equal(text, undefined, this.output);
        break;
      }
    }
    return this.output;
  }

  private readSome(): boolean {
    const bytes = new Uint8Array(4096);
    try {
      const count = read(this.fd, bytes);
      this.output += ffi.decode(bytes.subarray(0, count));
      return count > 0;
    } catch (error) {
      // So says a terminal whose other end nobody has open.
      if (error instanceof SyscallError && error.errno === EIO) return false;
      throw error;
    }
  }

  resize(rows: number, columns: number): void {
    const size = new Uint8Array(8);
    viewOf(size).setUint16(0, rows, true);
    viewOf(size).setUint16(2, columns, true);
    sys("ioctl", this.fd, C.TIOCSWINSZ, size);
  }

  close(): void {
    close(this.fd);
  }
}

/** A socket as --console-socket wants one. */
export class ConsoleSocket {
  readonly path: string;
  private readonly fd: Fd;

  constructor(s: Scene) {
    this.path = s.path("console.sock");
    this.fd = sys("socket", C.AF_UNIX, C.SOCK_STREAM | C.SOCK_CLOEXEC, 0);
    const address = new Uint8Array(110);
    viewOf(address).setUint16(0, C.AF_UNIX, true);
    address.set(ffi.encode(this.path), 2);
    sys("bind", this.fd, address, address.length);
    sys("listen", this.fd, 1);
  }

  /** The terminal that a container has sent. */
  accept(): Terminal {
    assert.ok(pollReadable([this.fd], 30_000).length > 0, "no terminal has come");
    const connection = sys("accept4", this.fd, 0, 0, C.SOCK_CLOEXEC);
    const { fd } = receive(connection, 4096);
    close(connection);
    close(this.fd);
    assert.ok(fd !== undefined, "no descriptor has come");
    return new Terminal(fd);
  }
}

/** A terminal of the test's own: what a person would sit at. */
export function openTerminal(): { terminal: Terminal; peer: Fd } {
  const fd = sys("openat", C.AT_FDCWD, ffi.encode("/dev/ptmx\0"), C.O_RDWR | C.O_NOCTTY | C.O_CLOEXEC, 0);
  sys("ioctl", fd, C.TIOCSPTLCK, new Uint8Array(4));
  const peer = sys("ioctl", fd, C.TIOCGPTPEER, C.O_RDWR | C.O_NOCTTY | C.O_CLOEXEC);
  return { terminal: new Terminal(fd), peer };
}
