import { ffi } from "../ffi/driver.js";
import { Failure } from "../linux/failure.js";
import { quote } from "../linux/file.js";
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

/** Reads "linux/arm64" or "linux/arm/v7". Throws Failure. */
export function parsePlatform(text: string): Platform {
  const parts = /^([a-z0-9]+)\/([a-z0-9_]+)(?:\/([a-z0-9.]+))?$/.exec(text);
  if (parts === null) throw new Failure(`platform ${quote(text)}`, { cause: 'not of the form "linux/arm64/v8"' });
  const [, os, architecture, variant = ""] = parts;
  return { os, architecture, variant };
}

/** Whether what runs on a platform is what is asked for; a variant may be left open on both sides. */
export const isFor = (platform: Platform, asked: Platform): boolean =>
  platform.os === asked.os &&
  platform.architecture === asked.architecture &&
  (asked.variant === "" || platform.variant === "" || platform.variant === asked.variant);

/**
 * What of an image's several forms runs on a platform: by default this machine's, of which any variant is taken where
 * its own is not there. A single form is taken as it is. Throws Failure.
 */
export function choosePlatform<T extends { platform: Platform | undefined }>(
  forms: readonly T[],
  asked: Platform | undefined,
): T {
  if (forms.length === 1) return forms[0];
  const on = (wanted: Platform) => forms.filter(({ platform }) => platform !== undefined && isFor(platform, wanted));
  const [best] = asked === undefined ? [...on(HOST), ...on({ ...HOST, variant: "" })] : on(asked);
  if (best !== undefined) return best;
  const all = forms.map(({ platform }) => (platform === undefined ? "unknown" : formatPlatform(platform)));
  throw new Failure(`it holds no image for ${formatPlatform(asked ?? { ...HOST, variant: "" })}`, {
    hint: all.length === 0 ? undefined : `there are ${all.join(", ")}`,
  });
}
