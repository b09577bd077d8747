import { Failure } from "../linux/failure.js";
import { quote } from "../linux/file.js";
import { type Digest, isDigest, sha256 } from "./digest.js";
import type { JsonNode } from "./json-node.js";

/** An image as an archive holds it. */
export interface Image {
  /** What it is called, "docker.io/library/busybox:latest"; none, or one, or several names. */
  names: readonly string[];
  config: ImageConfig;
  /** From the lowest to the topmost. */
  layers: readonly Layer[];
}

/** A layer of an image: a tar archive, compressed perhaps, that changes what the layers below make. */
export interface Layer {
  /** What messages call it, "layer 2 (sha256:…)". */
  title: string;
  /** The digest of the tar archive, not compressed. */
  diffId: Digest;
  /** Names the result of this layer on top of those below: its "chain ID" (image-spec, config.md). */
  chainId: Digest;
  /** The length in bytes of what `read` gives. */
  size: number;
  /** What `read` gives must have this digest, where it is known; beside the tar archive's own. */
  blobDigest: Digest | undefined;
  /** The layer as it lies in the archive. */
  read(): Iterable<Buffer>;
}

/** What of an image's configuration matters here (image-spec, config.md); "" where a text is not given. */
export interface ImageConfig {
  os: string;
  osVersion: string;
  osFeatures: readonly string[];
  architecture: string;
  variant: string;
  created: string;
  author: string;
  diffIds: readonly Digest[];
  user: string;
  env: readonly string[];
  entrypoint: readonly string[];
  cmd: readonly string[];
  workingDir: string;
  hostname: string;
  stopSignal: string;
  labels: readonly [name: string, value: string][];
  exposedPorts: readonly string[];
  volumes: readonly string[];
}

/** Reads an image's configuration. Throws Failure by JSON path. */
export function parseImageConfig(root: JsonNode): ImageConfig {
  const config = root.member("config");
  const of = (name: string) => (config.isThere ? config.member(name) : config);
  const rootfs = root.member("rootfs");
  if (rootfs.member("type").text() !== "layers") throw rootfs.member("type").wrong('"layers"');
  return {
    os: root.member("os").textOrNone(),
    osVersion: root.member("os.version").textOrNone(),
    osFeatures: texts(root.member("os.features")),
    architecture: root.member("architecture").textOrNone(),
    variant: root.member("variant").textOrNone(),
    created: root.member("created").textOrNone(),
    author: root.member("author").textOrNone(),
    diffIds: rootfs.member("diff_ids").items().map(digestAt),
    user: of("User").textOrNone(),
    env: texts(of("Env")),
    entrypoint: texts(of("Entrypoint")),
    cmd: texts(of("Cmd")),
    workingDir: of("WorkingDir").textOrNone(),
    hostname: of("Hostname").textOrNone(),
    stopSignal: of("StopSignal").textOrNone(),
    labels: of("Labels")
      .members()
      .map(([name, value]) => [name, value.text()]),
    exposedPorts: names(of("ExposedPorts")),
    volumes: names(of("Volumes")),
  };
}

const texts = (node: JsonNode): string[] => node.items().map((item) => item.text());
const names = (node: JsonNode): string[] => node.members().map(([name]) => name);

/** The digest at a place of a document. Throws Failure. */
export function digestAt(node: JsonNode): Digest {
  if (!isDigest(node.value)) throw node.wrong("a digest");
  return node.value;
}

/** What an archive tells of a layer: the rest is in the image's configuration. */
export type Blob = Pick<Layer, "size" | "blobDigest" | "read">;

/** The most layers that the kernel makes an overlay file system of, OVL_MAX_STACK. */
const MAX_LAYERS = 500;

/** An image out of its configuration and its layers' blobs. Throws Failure where they do not fit. */
export function makeImage(imageNames: readonly string[], config: ImageConfig, blobs: readonly Blob[]): Image {
  const { diffIds } = config;
  const odd = imageNames.find((name) => !/^[\w.:@/+-]+$/.test(name));
  if (odd !== undefined) throw new Failure(`image name ${quote(odd)}`, { cause: "it has characters that none has" });
  if (blobs.length > MAX_LAYERS) throw new Failure(`${blobs.length} layers`, { cause: `more than ${MAX_LAYERS}` });
  if (diffIds.length !== blobs.length)
    throw new Failure(`${blobs.length} layers`, { cause: `the configuration tells of ${diffIds.length}` });
  let chainId: Digest | undefined;
  const layers = blobs.map((blob, i): Layer => {
    const diffId = diffIds[i];
    chainId = chainId === undefined ? diffId : sha256(`${chainId} ${diffId}`);
    return { ...blob, title: `layer ${i + 1} (${blob.blobDigest ?? diffId})`, diffId, chainId };
  });
  return { names: imageNames, config, layers };
}

/** Whether an image of this name is asked for by that, which may lack the tag "latest" and leading components. */
export function isCalled(name: string, asked: string): boolean {
  const whole = (text: string) => (/[:@][^/]*$/.test(text) ? text : `${text}:latest`);
  return whole(name) === whole(asked) || whole(name).endsWith(`/${whole(asked)}`);
}

/** The one of several images that is asked for. Throws Failure, with their names, where that is not one. */
export function chooseNamed<T extends { names: readonly string[] }>(
  images: readonly T[],
  asked: string | undefined,
): T {
  const fitting =
    asked === undefined ? images : images.filter(({ names }) => names.some((name) => isCalled(name, asked)));
  if (fitting.length === 1) return fitting[0];
  const all =
    images
      .flatMap(({ names }) => names)
      .map(quote)
      .join(", ") || "images without names";
  if (asked === undefined && images.length === 0) throw new Failure("it holds no image");
  if (asked === undefined) throw new Failure("it holds several images", { hint: `--name chooses of ${all}` });
  const what = fitting.length === 0 ? "it holds no image" : "it holds several images";
  throw new Failure(`${what} named ${quote(asked)}`, { hint: `there are ${all}` });
}
