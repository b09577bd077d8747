/** An entry to write; everything but the name has a default. */
export interface Entry {
  name: string | Buffer;
  /** The header's type flag. */
  flag?: string;
  mode?: number;
  uid?: number;
  gid?: number;
  /** Seconds since 1970. */
  mtime?: number;
  content?: string | Buffer;
  target?: string | Buffer;
  device?: [major: number, minor: number];
  /** Records of an extended header before the entry. */
  pax?: Record<string, string | Buffer>;
  /** Written over the size that is right. */
  size?: number;
  prefix?: string;
}

const BLOCK = 512;

/** A tar archive of the ustar form, with extended headers where entries have records for them. */
export function tar(entries: readonly Entry[], end: Buffer = Buffer.alloc(2 * BLOCK)): Buffer {
  return Buffer.concat([...entries.flatMap(entryBlocks), end]);
}

export const directory = (name: string, more: Partial<Entry> = {}): Entry => ({
  name,
  flag: "5",
  mode: 0o755,
  ...more,
});
export const file = (name: string, content: string | Buffer = "", more: Partial<Entry> = {}): Entry => ({
  name,
  content,
  ...more,
});
export const symlink = (name: string, target: string): Entry => ({ name, flag: "2", target, mode: 0o777 });
export const link = (name: string, target: string): Entry => ({ name, flag: "1", target });

function entryBlocks(entry: Entry): Buffer[] {
  const { pax } = entry;
  const content = Buffer.from(entry.content ?? "");
  const blocks = [header(entry, content.length), padded(content)];
  return pax === undefined ? blocks : [...entryBlocks({ name: "pax", flag: "x", content: paxRecords(pax) }), ...blocks];
}

/** "length key=value\n", where the length counts its own digits. */
export function paxRecords(records: Record<string, string | Buffer>): Buffer {
  return Buffer.concat(
    Object.entries(records).map(([key, value]) => {
      const rest = Buffer.concat([Buffer.from(` ${key}=`), Buffer.from(value), Buffer.from("\n")]);
      let length = rest.length;
      while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
      return Buffer.concat([Buffer.from(String(length)), rest]);
    }),
  );
}

export function padded(content: Buffer): Buffer {
  return Buffer.concat([content, Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK)]);
}

export function header(entry: Entry, size: number): Buffer {
  const { name, flag = "0", mode = 0o644, uid = 0, gid = 0, mtime = 1_000_000_000, target = "", device } = entry;
  const block = Buffer.alloc(BLOCK);
  const number = (value: number, at: number, length: number) => {
    if (value >= 0 && value < 8 ** (length - 1)) block.write(value.toString(8).padStart(length - 1, "0"), at);
    else {
      let rest = BigInt.asUintN(length * 8 - 1, BigInt(value));
      for (let i = at + length - 1; i >= at; i--, rest >>= 8n) block[i] = Number(rest & 0xffn);
      block[at] |= 0x80;
    }
  };
  block.set(Buffer.from(name).subarray(0, 100), 0);
  number(mode, 100, 8);
  number(uid, 108, 8);
  number(gid, 116, 8);
  number(entry.size ?? size, 124, 12);
  number(mtime, 136, 12);
  block.write(flag, 156, "latin1");
  block.set(Buffer.from(target).subarray(0, 100), 157);
  block.write("ustar\x0000", 257, "latin1");
  number(device?.[0] ?? 0, 329, 8);
  number(device?.[1] ?? 0, 337, 8);
  block.write(entry.prefix ?? "", 345);
  return withChecksum(block);
}

export function withChecksum(block: Buffer): Buffer {
  block.fill(" ", 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return block;
}
