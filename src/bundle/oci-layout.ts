import { Failure } from "../linux/failure.js";
import { quote } from "../linux/file.js";
import type { Digest } from "./digest.js";
import { type Blob, chooseNamed, digestAt, type Image, isCalled, makeImage, parseImageConfig } from "./image.js";
import { checkSize, type Expected, type ImageFiles, readDocument } from "./image-files.js";
import type { JsonNode } from "./json-node.js";
import { choosePlatform, type Platform, platformAt } from "./platform.js";

/** The file that marks an OCI image layout (image-spec, image-layout.md). */
export const OCI_LAYOUT = "oci-layout";

const INDEX = new Set([
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
]);
const MANIFEST = new Set([
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.v2+json",
]);
const CONFIG = new Set(["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"]);
const LAYER =
  /^application\/vnd\.(oci\.image\.layer(\.nondistributable)?\.v1\.tar(\+gzip|\+zstd)?|docker\.image\.rootfs\.(foreign\.)?diff\.tar(\.gzip|\.zstd)?)$/;

/** Layers that may be had elsewhere only (image-spec, layer.md, "Non-Distributable Layers"). */
const FOREIGN = /\.(nondistributable|foreign)\./;

/** Annotations that name an image: containerd's, the whole; and the specification's, often the tag alone. */
const NAMES = ["io.containerd.image.name", "org.opencontainers.image.ref.name"];

/** How deep indexes may lie in indexes. */
const MAX_DEPTH = 8;

/** A reference to content, with what must be true of it (image-spec, descriptor.md). */
interface Descriptor extends Expected {
  size: number;
  mediaType: string;
  platform: Platform | undefined;
  names: readonly string[];
}

/** Reads an image of an OCI image layout, that for the platform where there are several. Throws Failure. */
export function readOciLayout(files: ImageFiles, name: string | undefined, platform: Platform | undefined): Image {
  const version = readDocument(files, OCI_LAYOUT).member("imageLayoutVersion");
  if (version.text() !== "1.0.0") throw version.wrong('"1.0.0"');
  const chosen = choose(readIndex(readDocument(files, "index.json"), undefined), name, platform);
  return readManifest(files, manifestOf(files, chosen, platform), chosen.names);
}

/** The image of a name, if one is asked for; of one that is there for several platforms, the one for that asked for. */
function choose(images: readonly Descriptor[], asked: string | undefined, platform: Platform | undefined): Descriptor {
  const merged = [...new Set(images.map(({ digest }) => digest))].map((digest): Descriptor => {
    const same = images.filter((image) => image.digest === digest);
    return { ...same[0], names: same.flatMap(({ names }) => names) };
  });
  const fitting = merged.filter(({ names }) => asked === undefined || names.some((name) => isCalled(name, asked)));
  const isOne = fitting.length > 1 && fitting.every(({ names }) => String(names) === String(fitting[0].names));
  return isOne ? choosePlatform(fitting, platform) : chooseNamed(merged, asked);
}

/** The descriptor of a manifest that another descriptor leads to, through indexes as it may be. */
function manifestOf(files: ImageFiles, descriptor: Descriptor, platform: Platform | undefined, depth = 0): Descriptor {
  if (!INDEX.has(descriptor.mediaType)) return descriptor;
  if (depth === MAX_DEPTH) throw new Failure(`indexes more than ${MAX_DEPTH} levels deep`);
  const images = readIndex(readBlob(files, descriptor), descriptor.mediaType);
  return manifestOf(files, choosePlatform(images, platform), platform, depth + 1);
}

/** The images of an index; statements about images, such as where they come from, are left out. */
function readIndex(index: JsonNode, mediaType: string | undefined): Descriptor[] {
  refuseAmbiguous(index, INDEX, mediaType, ["config", "layers", "fsLayers"]);
  return index
    .member("manifests")
    .items()
    .filter((item) => !isAttestation(item))
    .map(descriptorAt);
}

const isAttestation = (descriptor: JsonNode): boolean =>
  descriptor
    .member("annotations")
    .members()
    .some(([name]) => name === "vnd.docker.reference.type");

function readManifest(files: ImageFiles, descriptor: Descriptor, names: readonly string[]): Image {
  const { mediaType } = descriptor;
  if (!MANIFEST.has(mediaType)) throw new Failure(`${quote(mediaType)} is not a manifest's media type that is known`);
  const manifest = readBlob(files, descriptor);
  refuseAmbiguous(manifest, MANIFEST, mediaType, ["manifests", "fsLayers"]);
  const config = descriptorAt(manifest.member("config"));
  if (!CONFIG.has(config.mediaType))
    throw manifest.member("config").member("mediaType").wrong("an image's configuration");
  const blobs = manifest
    .member("layers")
    .items()
    .map((layer) => layerAt(files, layer));
  return makeImage(names, parseImageConfig(readBlob(files, config)), blobs);
}

/**
 * A document that can be taken for an index and for a manifest shows different images to different programs
 * (CVE-2021-41190): what it says of its type must be what it was taken for, and nothing else must be in it.
 */
function refuseAmbiguous(
  document: JsonNode,
  types: ReadonlySet<string>,
  mediaType: string | undefined,
  foreign: readonly string[],
): void {
  const stated = document.member("mediaType");
  const isRight = mediaType === undefined ? types.has(stated.textOrNone()) : stated.value === mediaType;
  if (stated.isThere && !isRight) throw stated.wrong(mediaType ?? "an index's media type");
  for (const name of foreign)
    if (document.member(name).isThere)
      throw new Failure(document.member(name).path, { cause: "the document is ambiguous, an index or a manifest" });
}

function descriptorAt(node: JsonNode): Descriptor {
  const annotations = new Map(node.member("annotations").members());
  const name = NAMES.map((key) => annotations.get(key)).find((value) => value !== undefined);
  return {
    digest: digestAt(node.member("digest")),
    size: node.member("size").size(),
    mediaType: node.member("mediaType").text(),
    platform: platformAt(node.member("platform")),
    names: name === undefined ? [] : [name.text()],
  };
}

function layerAt(files: ImageFiles, node: JsonNode): Blob {
  const { digest, size, mediaType } = descriptorAt(node);
  if (!LAYER.test(mediaType)) throw node.member("mediaType").wrong("a layer's that is known");
  const path = blobPath(digest);
  const actual = files.size(path);
  if (actual === undefined)
    throw new Failure(`no file ${quote(path)}`, {
      hint: FOREIGN.test(mediaType) ? "the layer is not distributed with its image" : undefined,
    });
  checkSize(path, actual, size);
  return { size, blobDigest: digest, read: () => files.read(path) };
}

const readBlob = (files: ImageFiles, descriptor: Descriptor): JsonNode =>
  readDocument(files, blobPath(descriptor.digest), descriptor);

const blobPath = (digest: Digest): string => `blobs/${digest.replace(":", "/")}`;
