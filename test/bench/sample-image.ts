import { readFileSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { dockerArchive, imageConfig, type LayerBytes, Layout, layer } from "../bundle/archives.js";
import { directory, type Entry, file, symlink } from "../bundle/tar-writer.js";

const MIB = 1 << 20;

/** What the sample is: an image as large as one of a language's run-time environment. */
export const SAMPLE = { layers: 8, size: 500 * MIB };

/** Sizes of files are spread evenly by their logarithm over these, as they are in a distribution's packages. */
const SIZES = { from: 512, to: 6 * MIB };
const FILES_IN_DIRECTORY = 40;
/** How much of the content cannot be compressed, as programs hardly can. */
const NOISE = 0.45;

/** Writes the sample as an OCI layout whose layers are compressed, and as `docker save` writes it; always the same. */
export function writeSample(ociArchive: string, dockerTarball: string): void {
  const random = generator();
  const sources = { text: text(random), noise: noise(random) };
  const layers = Array.from({ length: SAMPLE.layers }, (_, i) =>
    layer([...(i === 0 ? program() : []), ...files(`layer${i}`, SAMPLE.size / SAMPLE.layers, sources, random)]),
  );
  const config = imageConfig(layers, { Cmd: ["/bin/true"] });
  writeFileSync(dockerTarball, dockerArchive(layers, ["sample:1"], config));
  writeFileSync(ociArchive, compressed(layers, config));
}

function compressed(layers: readonly LayerBytes[], config: object): Buffer {
  const layout = new Layout();
  const type = "application/vnd.oci.image.layer.v1.tar+gzip";
  const descriptors = layers.map(({ content }) => layout.add(type, gzipSync(content)));
  return layout.tarball([layout.addImage([], config, { layers: descriptors })]);
}

/** Something to run. */
const program = (): Entry[] => [
  ...["bin/", "dev/", "proc/", "sys/"].map((name) => directory(name)),
  { name: "bin/busybox", content: readFileSync("/bin/busybox"), mode: 0o755 },
  symlink("bin/true", "busybox"),
];

function files(name: string, size: number, sources: { text: Buffer; noise: Buffer }, random: () => number): Entry[] {
  const entries: Entry[] = [directory(`${name}/`)];
  for (let left = size, i = 0; left > 0; i++) {
    const parent = `${name}/${Math.floor(i / FILES_IN_DIRECTORY)}/`;
    if (i % FILES_IN_DIRECTORY === 0) entries.push(directory(parent));
    const length = Math.min(left, Math.floor(SIZES.from * (SIZES.to / SIZES.from) ** (random() * random())));
    entries.push(file(`${parent}${i}`, excerpts(random() < NOISE ? sources.noise : sources.text, length, random)));
    left -= length;
  }
  return entries;
}

/** Pieces from anywhere in a source, so that no two files are the same. */
function excerpts(source: Buffer, length: number, random: () => number): Buffer {
  const content = Buffer.allocUnsafe(length);
  for (let at = 0; at < length; ) {
    const from = Math.floor(random() * source.length);
    at += source.copy(content, at, from, from + 4096 + Math.floor(random() * 65536));
  }
  return content;
}

const noise = (random: () => number): Buffer => Buffer.alloc(8 * MIB).map(() => random() * 256) as Buffer;

/** Words, some much more often than others. */
function text(random: () => number): Buffer {
  const letters = () => String.fromCharCode(97 + random() * 26);
  const words = Array.from({ length: 4000 }, () => Array.from({ length: 2 + random() * 9 }, letters).join(""));
  const all: string[] = [];
  for (let length = 0; length < 8 * MIB; length += 7) all.push(words[Math.floor(random() * random() * words.length)]);
  return Buffer.from(all.join(" "));
}

/** Numbers from 0 to 1 that look random: a linear congruential generator, the constants of Numerical Recipes. */
function generator(): () => number {
  let state = 1;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
