import type { Config, NamespaceType } from "../generated/config.js";
import { compileExecLauncher } from "../init/compile-exec.js";
import { compileLauncher } from "../init/compile-launcher.js";
import { keepParts } from "../init/kept-parts.js";
import { FACTS } from "../init/usual-containers.js";
import type { Program } from "../machine/program.js";
import { assembleAhead } from "./native.js";
import { handlerProgram, returnProgram } from "./signal-pipe.js";

/** The new namespaces of a container with a network of its own, with one made by its engine, and in a Kubernetes pod. */
const NEW: readonly NamespaceType[][] = [
  ["mount", "uts", "ipc", "pid", "network"],
  ["mount", "uts", "ipc", "pid"],
  ["mount", "pid"],
];

/** The namespaces that are joined by a process that is added to one. */
const JOINED: readonly NamespaceType[][] = [NEW[0], [...NEW[0], "cgroup"]];

function* usualPrograms(): Generator<Program> {
  yield handlerProgram();
  yield returnProgram();
  for (const into of [false, true]) {
    const facts = { ...FACTS, cgroup: { ...FACTS.cgroup, into } };
    for (const types of NEW)
      for (const memory of [{}, { limit: 1 }]) yield compileLauncher(configOf(types, { memory }), facts);
    for (const types of JOINED) yield compileExecLauncher(configOf(types, {}), {}, facts);
  }
}

const configOf = (types: readonly NamespaceType[], resources: NonNullable<Config["linux"]>["resources"]): Config => ({
  ociVersion: "1.0.0",
  linux: { namespaces: types.map((type) => ({ type })), ...(resources && { resources }) },
});

/** Assembles ahead what most containers are started with. It is done when the QuickJS form is built. */
export function prepareUsualPrograms(): void {
  for (const program of keepParts(() => [...usualPrograms()])) assembleAhead(program);
}
