import { Builder, flags, text } from "../init/builder.js";
import type { Fd } from "../linux/file.js";
import type { Program } from "../machine/program.js";

/** What criu is started with. */
export interface CriuProgram {
  /** Its file. */
  readonly path: string;
  readonly env: readonly string[];
  /** The socket to converse on. */
  readonly socket: Fd;
  /** What else it finds open, by the same numbers; all else but the standard streams is closed. */
  readonly inherited: readonly Fd[];
  /** The root file system to restore: criu wants it to be a mount. */
  readonly root?: string;
}

/**
 * Compiles the start of criu as its client's worker. What is mounted for a restore is mounted in a namespace of criu's
 * own: it goes with it, whatever happens.
 */
export function compileCriu({ path, env, socket, inherited, root }: CriuProgram): Program {
  const b = new Builder();
  if (root !== undefined) {
    b.about(`mount ${JSON.stringify(root)} for criu`, "root.path");
    b.call("unshare", [flags("CLONE_NEWNS")]);
    b.call("mount", [0, text("/"), 0, flags("MS_REC", "MS_SLAVE"), 0]);
    b.call("mount", [text(root), text(root), 0, flags("MS_BIND", "MS_REC"), 0]);
  }
  b.about(`exec ${JSON.stringify(path)}`);
  b.call("close_range", [3, 0xffffffff, flags("CLOSE_RANGE_CLOEXEC")]);
  for (const fd of [socket, ...inherited]) b.call("fcntl", [fd, flags("F_SETFD"), 0]);
  b.call("execve", [text(path), { strings: ["criu", "swrk", String(socket)] }, { strings: env }]);
  return b.finish();
}
