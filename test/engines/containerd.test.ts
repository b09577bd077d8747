import assert from "node:assert/strict";
import { Containerd, IMAGE } from "./containerd.js";
import { type Feature, suite } from "./suite.js";

const FEATURES: readonly Feature<Containerd>[] = [
  {
    name: "run",
    run: (engine, runtime) => {
      const { status, stdout } = engine.ctr(
        "run",
        "--rm",
        ...engine.use(runtime),
        IMAGE,
        "c",
        "sh",
        "-c",
        "echo $$; exit 3",
      );
      assert.deepEqual({ status, stdout }, { status: 3, stdout: "1\n" });
    },
  },
];

suite("containerd", ["containerd", "ctr", "containerd-shim-runc-v2"], Containerd.open, FEATURES);
