import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { ROOT } from "../folders.js";
import { criSuite } from "./cri-suite.js";

// Debian's newest containerd, unpacked, with its shim beside it.
const directory = join(ROOT, ".cache/containerd/usr/bin");
process.env.PATH = `${directory}:${process.env.PATH}`;
const runs = spawnSync(join(directory, "containerd"), ["--version"]).status === 0;
criSuite("cri-new", !runs && "needs the containerd of Debian's sid");
