import { cstring } from "../linux/bytes.js";
import { C } from "../linux/constants.js";
import { stat } from "../linux/file.js";
import { attempt } from "../linux/syscall.js";
import { userName } from "../linux/user-name.js";
import { type Check, type Finding, missing, ok, partly } from "./check.js";
import type { Host } from "./host.js";

/** The sysctls by which distributions keep ordinary users from making user namespaces, and the value that does not. */
const SYSCTLS: Record<string, string> = {
  "kernel.unprivileged_userns_clone": "1", // Debian
  "kernel.apparmor_restrict_unprivileged_userns": "0", // Ubuntu
};

/** Programs other than engines, and what else ordinary users need. */
export const PROGRAM_CHECKS: readonly Check[] = [
  {
    name: "criu",
    means: "checkpoint and restore",
    advice: "install package criu",
    look: lookAtCriu,
  },
  {
    name: "unprivileged user namespaces",
    means: "containers of ordinary users",
    advice: "see user_namespaces(7)",
    look({ read }) {
      const told = Object.entries(SYSCTLS).map(([name, wanted]) => {
        const value = read(`/proc/sys/${name.replace(".", "/")}`)?.trim();
        return value === undefined || value === wanted ? undefined : { name, wanted, value };
      });
      const wrong = told.find((entry) => entry !== undefined);
      if (wrong === undefined) return ok("ordinary users may make them");
      return { ...missing(`${wrong.name} is ${wrong.value}`), advice: `sysctl ${wrong.name}=${wrong.wanted}` };
    },
  },
  ...["newuidmap", "newgidmap"].map(
    (name): Check => ({
      name,
      means: "more than one id in containers of ordinary users",
      advice: "install package uidmap or shadow-utils",
      look({ program }) {
        const path = program(name);
        if (path === undefined) return missing("not in $PATH");
        return isRaised(path) ? ok(path) : partly(`${path} has neither the setuid bit nor a capability`);
      },
    }),
  ),
  ...["subuid", "subgid"].map(
    (name): Check => ({
      name: `/etc/${name}`,
      means: "the ids that ordinary users may give to containers",
      advice: `usermod --add-${name.replace("sub", "sub")}s 100000-165535 USER`,
      look: (host) => lookAtRanges(`/etc/${name}`, host),
    }),
  ),
];

function lookAtCriu({ program, ask, privileged }: Host): Finding {
  const path = program("criu");
  if (path === undefined) return missing("not in $PATH");
  const version = /[\d.]+/.exec(ask(path, "--version") ?? "")?.[0] ?? "of an unknown version";
  if (!privileged) return ok(`${path} ${version}`);
  return ask(path, "check") === undefined
    ? { ...partly(`${path} ${version}, which "criu check" finds fault with`), advice: "install a newer criu" }
    : ok(`${path} ${version}`);
}

/** Whether a program has its owner's rights, or capabilities of its own, whoever executes it. */
function isRaised(path: string): boolean {
  const isSetuid = ((stat(path)?.mode ?? 0) & C.S_ISUID) !== 0;
  return isSetuid || attempt("getxattr", cstring(path), cstring("security.capability"), null, 0) > 0;
}

/** subuid(5) */
function lookAtRanges(path: string, { read, uid }: Host): Finding {
  const lines = (read(path) ?? "").split("\n").filter((line) => /^[^#:]+:\d+:\d+$/.test(line));
  if (uid === 0) {
    const users = new Set(lines.map((line) => line.split(":")[0]));
    return users.size > 0 ? ok(`ranges for ${[...users].join(" ")}`) : missing("gives ranges to nobody");
  }
  const names = [String(uid), userName(uid)];
  const own = lines.filter((line) => names.includes(line.split(":")[0]));
  return own.length > 0 ? ok(own.join(" ")) : missing("gives the caller no range");
}
