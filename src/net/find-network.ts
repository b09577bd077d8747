import { Failure } from "../linux/failure.js";
import { listDirectory, quote, readFile } from "../linux/file.js";
import type { CniNetwork, PluginConfig } from "./cni-network.js";

/** Results of older versions than these have another form. */
const VERSIONS = /^(0\.[34]\.\d+|1\.\d+\.\d+)$/;

/**
 * The network of a name that a directory of configurations has; undefined where none does. Files that are no JSON hinder
 * nobody: `tell` is told of them. Throws Failure where the network's own file is wrong.
 */
export function findNetwork(
  directory: string,
  name: string,
  tell: (broken: Failure) => void = () => {},
): CniNetwork | undefined {
  for (const file of listDirectory(directory).sort()) {
    if (!/\.(conflist|conf|json)$/.test(file)) continue;
    const path = `${directory}/${file}`;
    const document = parse(path);
    if (document instanceof Failure) tell(document);
    else if (document.name === name) return networkOf(path, document);
  }
  return undefined;
}

type Document = Readonly<Record<string, unknown>>;

function parse(path: string): Document | Failure {
  let value: unknown;
  try {
    value = JSON.parse(readFile(path));
  } catch (cause) {
    return new Failure(quote(path), { cause });
  }
  if (typeof value === "object" && value !== null) return value as Document;
  return new Failure(quote(path), { cause: "has to be an object" });
}

/** A list of plugins; or the one plugin, where a file has the older form without a list. */
function networkOf(path: string, document: Document): CniNetwork {
  const { cniVersion, name, disableCheck, plugins = [document] } = document;
  const wrong = (property: string, demand: string) => new Failure(quote(path), { cause: `${property}: ${demand}` });
  if (typeof cniVersion !== "string" || !VERSIONS.test(cniVersion))
    throw wrong("cniVersion", `has to be 0.3.0 to 1.x, is ${JSON.stringify(cniVersion)}`);
  if (typeof name !== "string" || !/^[A-Za-z0-9][\w.-]*$/.test(name))
    throw wrong("name", "has to consist of letters, digits, and _ . -");
  if (!Array.isArray(plugins) || plugins.length === 0) throw wrong("plugins", "has to be a list of plugins");
  plugins.forEach((plugin, i) => {
    if (typeof plugin?.type !== "string") throw wrong(`plugins[${i}].type`, "has to be a plugin's name");
  });
  return { cniVersion, name, disableCheck: disableCheck === true, plugins: plugins as PluginConfig[] };
}
