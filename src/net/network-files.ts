import { C } from "../linux/constants.js";
import { ENOENT } from "../linux/errno.js";
import { Failure } from "../linux/failure.js";
import { isDirectory, lstat, open, openat, quote, readFile, using, writeAll } from "../linux/file.js";
import { expecting } from "../linux/syscall.js";
import { isLoopback, parseAddress } from "./address.js";

/** The directory in a bundle whose files are the container's: mounts in config.json put each where it belongs. */
export const FILES_DIRECTORY = "net";

/** The files, in /etc of the container. */
export const FILES = ["resolv.conf", "hosts", "hostname"] as const;

/** What the files tell. */
export interface NetworkFacts {
  readonly hostname: string;
  /** The container's addresses, without their networks' lengths. */
  readonly addresses: readonly string[];
  /** The servers that are to be asked for names; none: the host's. */
  readonly nameservers: readonly string[];
  /** Further hosts that shall have a name. */
  readonly hosts: readonly Host[];
  /** Whether the container has the host's own network. */
  readonly isHost: boolean;
}

/** A line of /etc/hosts; hosts(5). */
export interface Host {
  readonly name: string;
  readonly address: string;
}

/** What `--add-host` asks for: "NAME:ADDRESS", where an IPv6 address may stand in brackets. Throws Failure. */
export function parseHost(text: string): Host {
  const [, name, bracketed, address = bracketed] = /^([\w.-]+):(?:\[(.*)\]|(.*))$/.exec(text) ?? [];
  if (name === undefined || parseAddress(address) === undefined)
    throw new Failure(`--add-host: ${quote(text)}`, { cause: "not of the form NAME:ADDRESS" });
  return { name, address };
}

const LOCAL = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n";

/** The content of the files, by name. */
export function networkFiles(facts: NetworkFacts): Record<(typeof FILES)[number], string> {
  const { hostname, addresses, isHost } = facts;
  const further = facts.hosts.map(({ name, address }) => `${address}\t${name}\n`).join("");
  const own = addresses.map((address) => `${address}\t${hostname}\n`).join("");
  return {
    "resolv.conf": resolvConf(facts, hostFile("/etc/resolv.conf"), hostFile(BEHIND_RESOLVED)),
    // The host's names are of use only where its addresses are.
    hosts: (isHost ? hostFile("/etc/hosts") || LOCAL : `${LOCAL}${own || `127.0.0.1\t${hostname}\n`}`) + further,
    hostname: `${hostname}\n`,
  };
}

/** Where systemd-resolved tells of the servers that it asks itself. */
const BEHIND_RESOLVED = "/run/systemd/resolve/resolv.conf";

/**
 * resolv.conf(5): the host's, but with other servers, or without those that only the host itself reaches.
 *
 * @param host the host's
 * @param behind that of systemd-resolved, where it is what the host asks
 */
export function resolvConf(
  { nameservers, isHost }: Pick<NetworkFacts, "nameservers" | "isHost">,
  host: string,
  behind: string,
): string {
  if (nameservers.length > 0) return withServers(host, nameservers);
  if (isHost) return host;
  const reached = reachable(host);
  return reached.length > 0 ? withServers(host, reached) : withServers(behind || host, reachable(behind));
}

const withServers = (text: string, servers: readonly string[]): string =>
  [
    ...text.split("\n").filter((line) => /^\s*(search|domain|options)\s/.test(line)),
    ...servers.map((server) => `nameserver ${server}`),
  ]
    .map((line) => `${line}\n`)
    .join("");

/** The servers in a resolv.conf that can be reached from another network than the host's own. */
const reachable = (text: string): string[] =>
  [...text.matchAll(/^\s*nameserver\s+(\S+)/gm)]
    .map(([, server]) => server)
    .filter((server) => {
      const address = parseAddress(server);
      return address !== undefined && !isLoopback(address);
    });

const hostFile = (path: string): string => expecting([ENOENT], "", () => readFile(path));

/**
 * Writes the files of a bundle that has the directory for them. They are mounted by now: they keep their inodes, and lie
 * outside the root file system, which may be read-only. Throws Failure.
 */
export function writeFiles(bundle: string, files: Readonly<Record<string, string>>): void {
  const path = `${bundle}/${FILES_DIRECTORY}`;
  const status = lstat(path);
  if (status === undefined || !isDirectory(status)) return;
  try {
    using(open(path, C.O_PATH | C.O_DIRECTORY | C.O_NOFOLLOW), (directory) => {
      for (const [name, content] of Object.entries(files)) {
        const flags = C.O_WRONLY | C.O_CREAT | C.O_TRUNC | C.O_NOFOLLOW;
        using(openat(directory, name, flags, 0o644), (fd) => writeAll(fd, content));
      }
    });
  } catch (cause) {
    throw new Failure(quote(path), { cause });
  }
}
