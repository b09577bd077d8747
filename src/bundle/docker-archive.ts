import { Failure } from "../linux/failure.js";
import { quote } from "../linux/file.js";
import { type Blob, chooseNamed, type Image, makeImage, parseImageConfig } from "./image.js";
import { type Expected, type ImageFiles, readDocument } from "./image-files.js";

/** The list of images in what `docker save` writes. */
export const DOCKER_MANIFEST = "manifest.json";

/** Reads an image as `docker save` writes it: manifest.json names a configuration and layers. Throws Failure. */
export function readDockerArchive(files: ImageFiles, name: string | undefined): Image {
  const images = readDocument(files, DOCKER_MANIFEST)
    .items()
    .map((image) => ({
      image,
      names: image
        .member("RepoTags")
        .items()
        .map((tag) => tag.text()),
    }));
  const { image, names } = chooseNamed(images, name);
  const configName = image.member("Config").text();
  const config = parseImageConfig(readDocument(files, configName, expectedByName(configName)));
  const layers = image
    .member("Layers")
    .items()
    .map((layer) => blobAt(files, layer.text()));
  return makeImage(names, config, layers);
}

/** Configurations are named after their digest, "<hex>.json" or "blobs/sha256/<hex>". */
function expectedByName(name: string): Expected | undefined {
  const hex = /^(?:blobs\/sha256\/([0-9a-f]{64})|([0-9a-f]{64})\.json)$/.exec(name);
  return hex === null ? undefined : { digest: `sha256:${hex[1] ?? hex[2]}` };
}

function blobAt(files: ImageFiles, name: string): Blob {
  const size = files.size(name);
  if (size === undefined) throw new Failure(`no file ${quote(name)}`);
  return { size, blobDigest: undefined, read: () => files.read(name) };
}
