import { createHash } from "node:crypto";
import { type Entry, file, tar } from "./tar-writer.js";

export const sha256 = (bytes: Buffer | string): string => createHash("sha256").update(bytes).digest("hex");

/** A layer of an image to write: its tar archive, and the same as it lies in the image. */
export interface LayerBytes {
  content: Buffer;
  blob: Buffer;
}

/** A layer that is not compressed. */
export const layer = (entries: readonly Entry[]): LayerBytes => plain(tar(entries));
export const plain = (content: Buffer): LayerBytes => ({ content, blob: content });

/** An image's configuration, with what of it is given. */
export function imageConfig(layers: readonly LayerBytes[], config: object = { Cmd: ["/bin/true"] }): object {
  return {
    architecture: process.arch === "arm64" ? "arm64" : "amd64",
    os: "linux",
    config,
    rootfs: { type: "layers", diff_ids: layers.map(({ content }) => `sha256:${sha256(content)}`) },
  };
}

/** What `docker save` wrote before version 25: a directory a layer. */
export function dockerArchive(
  layers: readonly LayerBytes[],
  names = ["test/image:1"],
  config = imageConfig(layers),
): Buffer {
  const json = JSON.stringify(config);
  const configName = `${sha256(json)}.json`;
  const paths = layers.map(({ content }, i) => `${sha256(`${i}${sha256(content)}`)}/layer.tar`);
  const manifest = [{ Config: configName, RepoTags: names, Layers: paths }];
  return tar([
    ...layers.map(({ blob }, i): Entry => ({ name: paths[i], content: blob })),
    file(configName, json),
    file("manifest.json", JSON.stringify(manifest)),
  ]);
}

const OCI = "application/vnd.oci.image";

export interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
  platform?: object;
  annotations?: object;
}

/** The files of an OCI image layout, to be changed before they are written. */
export class Layout {
  readonly files = new Map<string, Buffer>([["oci-layout", Buffer.from('{"imageLayoutVersion":"1.0.0"}')]]);

  /** Adds a blob, and returns its descriptor. */
  add(mediaType: string, content: Buffer | object): Descriptor {
    const bytes = Buffer.isBuffer(content) ? content : Buffer.from(JSON.stringify(content));
    const hex = sha256(bytes);
    this.files.set(`blobs/sha256/${hex}`, bytes);
    return { mediaType, digest: `sha256:${hex}`, size: bytes.length };
  }

  /** Adds an image, and returns its manifest's descriptor. */
  addImage(layers: readonly LayerBytes[], config = imageConfig(layers), more: object = {}): Descriptor {
    const manifest = {
      schemaVersion: 2,
      mediaType: `${OCI}.manifest.v1+json`,
      config: this.add(`${OCI}.config.v1+json`, config),
      layers: layers.map(({ blob }) => this.add(`${OCI}.layer.v1.tar`, blob)),
      ...more,
    };
    return this.add(`${OCI}.manifest.v1+json`, manifest);
  }

  addIndex(manifests: readonly Descriptor[], more: object = {}): Descriptor {
    const mediaType = `${OCI}.index.v1+json`;
    return this.add(mediaType, { schemaVersion: 2, mediaType, manifests, ...more });
  }

  /** The layout as a tarball whose index.json has these descriptors. */
  tarball(manifests: readonly Descriptor[], more: object = {}): Buffer {
    this.files.set("index.json", Buffer.from(JSON.stringify({ schemaVersion: 2, manifests, ...more })));
    return tar([...this.files].map(([name, content]): Entry => ({ name, content })));
  }
}

/** An OCI image layout of one image. */
export function ociArchive(layers: readonly LayerBytes[], name = "test/image:1", config = imageConfig(layers)): Buffer {
  const layout = new Layout();
  const annotations = { "org.opencontainers.image.ref.name": name };
  return layout.tarball([{ ...layout.addImage(layers, config), annotations }]);
}
