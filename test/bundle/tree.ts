import { lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { attributesAt } from "../../src/bundle/attributes.js";
import { sha256 } from "./archives.js";

/** What is to be compared of a file. */
export interface Node {
  /** Type and permissions, in octal digits. */
  mode: string;
  owner: string;
  /** In nanoseconds since 1970. */
  mtime: bigint;
  /** The content's digest, a link's target, a device's numbers. */
  content?: string;
  links?: number;
  attributes: Record<string, string>;
}

/** All that lies below a directory, the directory itself at ".", by names with a byte a character. */
export function tree(root: string): Record<string, Node> {
  const nodes: Record<string, Node> = {};
  const visit = (path: Buffer, name: string) => {
    const node = nodeAt(path);
    nodes[name] = node;
    if (!node.mode.startsWith("4")) return;
    const names = readdirSync(path, { encoding: "buffer" }) as Buffer[];
    for (const child of names.map((bytes) => bytes.toString("latin1")).sort())
      visit(Buffer.concat([path, Buffer.from(`/${child}`, "latin1")]), name === "." ? child : `${name}/${child}`);
  };
  visit(Buffer.from(root), ".");
  return nodes;
}

function nodeAt(path: Buffer): Node {
  const status = lstatSync(path, { bigint: true });
  const attributes = [...attributesAt(path)].map(([name, value]) => [name, value.toString("hex")]);
  const node: Node = {
    mode: status.mode.toString(8),
    owner: `${status.uid}:${status.gid}`,
    mtime: status.mtimeNs,
    attributes: Object.fromEntries(attributes.sort()),
  };
  // File systems count a directory's links, and its size, in ways of their own.
  if (status.isDirectory()) return node;
  node.links = Number(status.nlink);
  if (status.isFile()) node.content = `${status.size} ${sha256(readFileSync(path))}`;
  else if (status.isSymbolicLink()) node.content = readlinkSync(path, { encoding: "latin1" });
  else node.content = `${(status.rdev >> 8n) & 0xfffn}:${(status.rdev & 0xffn) | ((status.rdev >> 12n) & 0xfff00n)}`;
  return node;
}

/** The names alone: what is easiest to compare. */
export const names = (root: string): string[] => Object.keys(tree(root));
