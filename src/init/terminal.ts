import type { Config, Process } from "../generated/config.js";
import { type Builder, flags, openHow, slot, text } from "./builder.js";
import { input } from "./facts.js";
import { sendDescriptor } from "./message.js";
import { attach, cloneTree, inRoot } from "./target.js";

type ConsoleSize = NonNullable<Process["consoleSize"]>;

/**
 * Compiles the terminal: a pair of the container's own devpts; its controlling end goes to the socket in slot
 * `console`, the other becomes standard input, output and error, and init's also /dev/console.
 */
export function compileTerminal(b: Builder, config: Config, isInits = true): void {
  const { terminal, consoleSize, user } = config.process ?? {};
  const size = consoleSize && { height: consoleSize.height, width: consoleSize.width };
  if (terminal) b.part(makeTerminal, { consoleSize: size, uid: user?.uid ?? 0, isInits });
}

interface Wanted {
  readonly consoleSize: ConsoleSize | undefined;
  readonly uid: number;
  readonly isInits: boolean;
}

function makeTerminal(b: Builder, { consoleSize, uid, isInits }: Wanted): void {
  b.about("open a terminal", "process.terminal", 'is a devpts mounted on "/dev/pts"?');
  b.call("openat2", inRoot("/dev/pts/ptmx", "O_RDWR|O_NOCTTY", "RESOLVE_NO_SYMLINKS"), { into: "terminal" });
  b.call("ioctl", [slot("terminal"), flags("TIOCSPTLCK"), { bytes: new Uint8Array(4), shown: "unlock" }]);
  // The other end comes from this one, not by a path that somebody could have put something else at.
  b.call("ioctl", [slot("terminal"), flags("TIOCGPTPEER"), flags("O_RDWR", "O_NOCTTY", "O_CLOEXEC")], { into: "peer" });
  if (consoleSize !== undefined) {
    const { height, width } = consoleSize;
    const size = new Uint8Array(8);
    new DataView(size.buffer).setUint16(0, height, true);
    new DataView(size.buffer).setUint16(2, width, true);
    b.about(`size the terminal to ${width} × ${height}`, "process.consoleSize");
    b.call("ioctl", [slot("terminal"), flags("TIOCSWINSZ"), { bytes: size, shown: `${width} × ${height}` }]);
  }
  if (uid !== 0) {
    b.about("give the terminal to the user", "process.user.uid");
    b.call("fchown", [slot("peer"), uid, -1]);
  }
  if (isInits) bindConsole(b);
  b.about("send the terminal", "process.terminal");
  b.slot(input.console);
  sendDescriptor(b, "terminal", "terminal", input.console);
  b.close("terminal");
  b.about("make the terminal the controlling one and the standard streams", "process.terminal");
  b.call("ioctl", [slot("peer"), flags("TIOCSCTTY"), 0]);
  for (const stream of [0, 1, 2]) b.call("dup3", [slot("peer"), stream, 0]);
  b.done("peer");
}

function bindConsole(b: Builder): void {
  b.about('bind the terminal on "/dev/console"');
  b.call("openat2", inRoot("/dev", "O_PATH|O_DIRECTORY"), { into: "directory" });
  b.call("mknodat", [slot("directory"), text("console"), flags("S_IFREG"), 0], { on: { EEXIST: "next" } });
  const how = openHow("O_PATH|O_NOFOLLOW|O_CLOEXEC", "RESOLVE_BENEATH|RESOLVE_NO_SYMLINKS");
  b.call("openat2", [slot("directory"), text("console"), ...how], { into: "target" });
  cloneTree(b, "peer", "mount");
  attach(b, "mount", "target");
  for (const used of ["mount", "target", "directory"]) b.done(used);
}
