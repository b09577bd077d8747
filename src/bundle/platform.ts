import { ffi } from "../ffi/driver.js";
import { Failure } from "../linux/failure.js";
import type { JsonNode } from "./json-node.js";

/** What an image runs on, in Go's names (image-spec, image-index.md). */
export interface Platform {
  os: string;
  architecture: string;
  /** "" where there is but one. */
  variant: string;
}

/** The platform of this machine. */
export const HOST: Platform =
  ffi.arch === "x86_64"
    ? { os: "linux", architecture: "amd64", variant: "v1" }
    : { os: "linux", architecture: "arm64", variant: "v8" };

/** Reads the platform in a descriptor, if it has one. Throws Failure. */
export function platformAt(node: JsonNode): Platform | undefined {
  if (!node.isThere) return undefined;
  return {
    os: node.member("os").textOrNone(),
    architecture: node.member("architecture").textOrNone(),
    variant: node.member("variant").textOrNone(),
  };
}

/** "linux/arm64/v8". */
export const formatPlatform = ({ os, architecture, variant }: Platform): string =>
  [os, architecture, variant].filter((part) => part !== "").join("/");

/** What of an image's several forms runs on this machine; a single one is taken as it is. Throws Failure. */
export function choosePlatform<T extends { platform: Platform | undefined }>(forms: readonly T[]): T {
  if (forms.length === 1) return forms[0];
  const fitting = forms.filter(
    ({ platform }) => platform?.os === HOST.os && platform.architecture === HOST.architecture,
  );
  const [best] = [
    ...fitting.filter(({ platform }) => platform?.variant === HOST.variant || platform?.variant === ""),
    ...fitting,
  ];
  if (best !== undefined) return best;
  const all = forms.map(({ platform }) => (platform === undefined ? "unknown" : formatPlatform(platform)));
  throw new Failure(`it holds no image for ${HOST.os}/${HOST.architecture}`, {
    hint: all.length === 0 ? undefined : `there are ${all.join(", ")}`,
  });
}
