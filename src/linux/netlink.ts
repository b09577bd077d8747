import { concat, viewOf } from "./bytes.js";
import { C } from "./constants.js";
import { close, type Fd, read } from "./file.js";
import { SyscallError, sys } from "./syscall.js";

/** An attribute of a message: its type, and its content. */
export type Attribute = readonly [type: number, content: Uint8Array];

/** The size of struct nlmsghdr, and of struct nlattr. */
const [HEADER, ATTRIBUTE] = [16, 4];

/** More than the kernel puts in one packet. */
const PACKET = 65536;

/** What the length of a part is rounded up to where another follows. */
const aligned = (length: number): number => (length + 3) & ~3;

/**
 * A conversation with the kernel about its network, as the namespace has it where the socket was opened. A message is a
 * struct of its type's, the family's header, and attributes. netlink(7), rtnetlink(7)
 */
export class Netlink {
  private sequence = 0;

  private constructor(readonly socket: Fd) {}

  /** Opens a conversation in this process's network namespace. Throws SyscallError. */
  static open(): Netlink {
    return new Netlink(sys("socket", C.AF_NETLINK, C.SOCK_RAW | C.SOCK_CLOEXEC, C.NETLINK_ROUTE));
  }

  close(): void {
    close(this.socket);
  }

  /**
   * Has the kernel do something.
   *
   * @param type RTM_*
   * @param flags NLM_F_CREATE and the like
   * @param action what is done to which object, for the error
   * @throws SyscallError
   */
  request(type: number, flags: number, family: Uint8Array, attributes: readonly Attribute[], action: string): void {
    this.send(type, flags | C.NLM_F_ACK, family, attributes);
    this.receive(action);
  }

  /** What the kernel has of a kind, a message each: the family's header and attributes. Throws SyscallError. */
  dump(type: number, family: Uint8Array, action: string): Uint8Array[] {
    for (;;) {
      this.send(type, C.NLM_F_DUMP, family, []);
      const { messages, interrupted } = this.receive(action);
      if (!interrupted) return messages;
    }
  }

  private send(type: number, flags: number, family: Uint8Array, attributes: readonly Attribute[]): void {
    const parts = [new Uint8Array(HEADER), family];
    for (const [kind, content] of attributes) {
      const length = ATTRIBUTE + content.length;
      const attribute = new Uint8Array(aligned(length));
      viewOf(attribute).setUint16(0, length, true);
      viewOf(attribute).setUint16(2, kind, true);
      attribute.set(content, ATTRIBUTE);
      parts.push(attribute);
    }
    const message = concat(parts);
    const header = viewOf(message);
    header.setUint32(0, message.length, true);
    header.setUint16(4, type, true);
    header.setUint16(6, flags | C.NLM_F_REQUEST, true);
    header.setUint32(8, ++this.sequence, true);
    sys("sendto", this.socket, message, message.length, 0, null, 0);
  }

  /** Receives the answer to what was sent last, up to its end: whether something has changed meanwhile, it tells too. */
  private receive(action: string): { messages: Uint8Array[]; interrupted: boolean } {
    const messages: Uint8Array[] = [];
    let interrupted = false;
    for (;;) {
      const packet = new Uint8Array(PACKET);
      const size = read(this.socket, packet);
      const view = viewOf(packet);
      for (let at = 0; at + HEADER <= size; at += aligned(view.getUint32(at, true))) {
        // What is left of an answer that was not read to its end.
        if (view.getUint32(at + 8, true) !== this.sequence) continue;
        const type = view.getUint16(at + 4, true);
        if (view.getUint16(at + 6, true) & C.NLM_F_DUMP_INTR) interrupted = true;
        if (type === C.NLMSG_ERROR || type === C.NLMSG_DONE) {
          const error = -view.getInt32(at + HEADER, true);
          if (error > 0) throw new SyscallError("sendto", error, action);
          return { messages, interrupted };
        }
        messages.push(packet.subarray(at + HEADER, at + view.getUint32(at, true)));
      }
    }
  }
}

/** The attributes of a message, or of an attribute that holds some, from an offset on. */
export function attributesOf(bytes: Uint8Array, offset = 0): Attribute[] {
  const view = viewOf(bytes);
  const attributes: Attribute[] = [];
  for (let at = offset; at + ATTRIBUTE <= bytes.length; ) {
    const length = view.getUint16(at, true);
    const type = view.getUint16(at + 2, true) & C.NLA_TYPE_MASK;
    attributes.push([type, bytes.subarray(at + ATTRIBUTE, at + length)]);
    at += aligned(Math.max(length, ATTRIBUTE));
  }
  return attributes;
}

/** The content of the attribute of a type, if there is one. */
export const attribute = (attributes: readonly Attribute[], type: number): Uint8Array | undefined =>
  attributes.find(([kind]) => kind === type)?.[1];

/** A 32-bit number as an attribute's content. */
export function uint32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  viewOf(bytes).setUint32(0, value, true);
  return bytes;
}
