import type { Fd } from "../linux/file.js";
import { type ByteText, toBytes } from "./byte-text.js";

/**
 * The path of a name in an open directory, for node:fs: nothing on the way there can be exchanged. The name must be one
 * component, and the call must not follow it where it is a symbolic link.
 */
export const inDirectory = (directory: Fd, name: ByteText): Buffer => toBytes(`/proc/self/fd/${directory}/${name}`);
