/*
 * `node websocket.js URL UNTIL`: a client of the streams that a CRI engine offers for Exec, Attach and PortForward, by
 * the WebSocket protocol (RFC 6455) and Kubernetes' "v4.channel.k8s.io": each message begins with a channel's number.
 * Standard input goes to channel 0; what comes is told as JSON, a line each: [channel, text]. It ends when some text has
 * the regular expression UNTIL in it.
 */
import { randomBytes } from "node:crypto";
import { get } from "node:http";
import type { Socket } from "node:net";

const [, , url, until] = process.argv;
const BINARY = 2;
const CLOSE = 8;

const upgrade = {
  ...{ Connection: "Upgrade", Upgrade: "websocket", "Sec-WebSocket-Version": "13" },
  "Sec-WebSocket-Key": randomBytes(16).toString("base64"),
  "Sec-WebSocket-Protocol": "v4.channel.k8s.io",
};

const request = get(url.replace(/^ws/, "http"), { headers: upgrade });
request.on("response", ({ statusCode }) => {
  process.stderr.write(`HTTP status ${statusCode}\n`);
  process.exit(1);
});
request.on("upgrade", (_, socket: Socket, head: Buffer) => {
  process.stdin.on("data", (data: Buffer) => {
    socket.write(frame(BINARY, Buffer.concat([Buffer.from([0]), data])));
  });
  let rest = head;
  const take = (data: Buffer) => {
    rest = Buffer.concat([rest, data]);
    for (let one = parse(rest); one !== undefined; one = parse(rest)) {
      rest = one.rest;
      if (one.opcode === CLOSE) process.exit(0);
      if (one.content.length > 1) tell(one.content);
    }
  };
  take(Buffer.alloc(0));
  socket.on("data", take);
  socket.on("end", () => process.exit(0));
});

function tell(content: Buffer): void {
  const line = JSON.stringify([content[0], content.subarray(1).toString("latin1")]);
  process.stdout.write(`${line}\n`, () => new RegExp(until).test(line) && process.exit(0));
}

/** A whole message as a client sends it: masked, with zeros. Up to 65,535 bytes. */
function frame(opcode: number, content: Buffer): Buffer {
  const length =
    content.length < 126 ? [0x80 | content.length] : [0x80 | 126, content.length >> 8, content.length & 255];
  return Buffer.concat([Buffer.from([0x80 | opcode, ...length, 0, 0, 0, 0]), content]);
}

/** The first message of what a server has sent, and what is behind it; undefined where it has not all come. */
function parse(bytes: Buffer): { opcode: number; content: Buffer; rest: Buffer } | undefined {
  if (bytes.length < 2) return undefined;
  const short = bytes[1] & 127;
  const start = short === 127 ? 10 : short === 126 ? 4 : 2;
  if (bytes.length < start) return undefined;
  const length = short === 127 ? Number(bytes.readBigUInt64BE(2)) : short === 126 ? bytes.readUInt16BE(2) : short;
  if (bytes.length < start + length) return undefined;
  return {
    opcode: bytes[0] & 15,
    content: bytes.subarray(start, start + length),
    rest: bytes.subarray(start + length),
  };
}
