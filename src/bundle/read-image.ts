import { Failure } from "../linux/failure.js";
import { DOCKER_MANIFEST, readDockerArchive } from "./docker-archive.js";
import type { Image } from "./image.js";
import type { ImageFiles } from "./image-files.js";
import { OCI_LAYOUT, readOciLayout } from "./oci-layout.js";
import type { Platform } from "./platform.js";

/**
 * Reads an image in any form that is known. What Docker writes since version 25 is both forms at once; the layout has
 * digests for all of it.
 * @param name which image, where there are several
 * @param platform which of an image's forms, where there are several; by default that for this machine
 */
export function readImage(files: ImageFiles, name: string | undefined, platform: Platform | undefined): Image {
  if (files.size(OCI_LAYOUT) !== undefined) return readOciLayout(files, name, platform);
  if (files.size(DOCKER_MANIFEST) !== undefined) return readDockerArchive(files, name);
  throw new Failure(`neither "${OCI_LAYOUT}" nor "${DOCKER_MANIFEST}" is in it`, {
    hint: "it should be what `docker save`, `podman save` or skopeo write",
  });
}
