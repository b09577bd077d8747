import { Failure } from "../linux/failure.js";
import type { Fd } from "../linux/file.js";
import { causeOf } from "./cause.js";
import { type Compression, compressionOf, DECOMPRESSORS } from "./decompress.js";
import { Digester } from "./digest.js";
import type { Layer } from "./image.js";
import { LayerWriter } from "./layer-writer.js";
import { TarFeed } from "./tar-feed.js";
import type { Task } from "./task.js";

/**
 * Applies a layer to the root directory that is open as `root`. What has been written is good only when this returns:
 * digests are computed on the way and checked at the end. Throws Failure that names the layer, and what ends the task.
 */
export async function applyLayer(layer: Layer, root: Fd, task: Task): Promise<void> {
  const compression = compressionOfLayer(layer);
  const writer = new LayerWriter(root, (message) => task.warn(`${layer.title}: ${message}`));
  try {
    await unpack(layer, compression, writer, task);
    writer.finish();
  } catch (error) {
    task.signal.throwIfAborted();
    // Where the layer is not what it should be, that says more than what came of it.
    const digest = layer.blobDigest ?? (compression === undefined ? layer.diffId : undefined);
    if (digest !== undefined) checkBlob(layer, new Digester(digest));
    throw new Failure(layer.title, { cause: causeOf(error) });
  } finally {
    writer.close();
  }
}

async function unpack(
  layer: Layer,
  compression: Compression | undefined,
  writer: LayerWriter,
  task: Task,
): Promise<void> {
  const blob = layer.blobDigest === undefined ? undefined : new Digester(layer.blobDigest);
  const content = new Digester(layer.diffId);
  let taken = 0;
  function* digested(): Generator<Buffer, void> {
    for (const piece of layer.read()) {
      blob?.update(piece);
      taken += piece.length;
      yield piece;
    }
  }
  const feed = new TarFeed(writer);
  const pieces = compression === undefined ? digested() : DECOMPRESSORS[compression](digested());
  for await (const piece of pieces) {
    content.update(piece);
    feed.write(piece);
    await task.advance(taken);
    taken = 0;
  }
  feed.end();
  blob?.check("its content");
  content.check(compression === undefined ? "its content" : "its uncompressed content");
}

function compressionOfLayer(layer: Layer): Compression | undefined {
  for (const piece of layer.read()) return compressionOf(piece);
  return undefined;
}

function checkBlob(layer: Layer, digester: Digester): void {
  for (const piece of layer.read()) digester.update(piece);
  digester.check(`${layer.title}: its content`);
}
