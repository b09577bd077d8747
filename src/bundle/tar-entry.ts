import type { ByteText } from "./byte-text.js";

/** What an entry of a tar archive makes. */
export type TarType = "file" | "link" | "symlink" | "character" | "block" | "directory" | "fifo";

/** An entry of a tar archive, extended headers applied. */
export interface TarEntry {
  /** As the archive has it: not checked, not normalized. */
  name: ByteText;
  /** The target of a link or symlink. */
  target: ByteText;
  type: TarType;
  /** Permissions and set-id and sticky bits, 0o7777 at most. */
  mode: number;
  uid: number;
  gid: number;
  time: Time;
  /** The numbers of a device. */
  device: { major: number; minor: number };
  /** Extended attributes by name. */
  attributes: ReadonlyMap<ByteText, Buffer>;
  /** A file's length in bytes, holes included. */
  size: number;
  /** The parts of the file that the archive holds, in order; the rest is holes. */
  segments: readonly Segment[];
  /** Where the content begins, in bytes from the archive's start. */
  offset: number;
}

/** Whether the archive holds a file in one part, as it does where the file is not sparse. */
export const isWhole = ({ segments, size }: TarEntry): boolean => segments.length === 1 && segments[0].length === size;

/** A part of a file, in bytes. */
export interface Segment {
  offset: number;
  length: number;
}

/** A time: whole seconds since 1970, which may be negative, and nanoseconds after that. */
export interface Time {
  seconds: number;
  nanoseconds: number;
}

/** Takes in what an archive holds, entry by entry. */
export interface TarVisitor {
  /** An entry begins. Returns whether `content` shall be called for what it holds. */
  entry(entry: TarEntry): boolean;
  /** A piece of the entry's content, and where in the file it belongs. The bytes are only valid during the call. */
  content(bytes: Buffer, at: number): void;
  /** The entry is complete; called where `entry` returned true. */
  end(): void;
}
