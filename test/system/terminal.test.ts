import assert from "node:assert/strict";
import { chownSync } from "node:fs";
import { close } from "../../src/linux/file.js";
import { ConsoleSocket, openTerminal, type Terminal } from "./console.js";
import { asRoot, type FullConfig, type Scene, system, withIds } from "./harness.js";

/** A config with a terminal and a shell script in it. */
const scripted =
  (script: string) =>
  ({ process }: FullConfig): void => {
    process.terminal = true;
    process.args = ["sh", "-c", script];
  };

/** Creates and starts a container whose terminal goes to a socket. */
function detached(s: Scene, change: (config: FullConfig) => void): Terminal {
  s.write(change);
  const socket = new ConsoleSocket(s);
  s.create("c", "--console-socket", socket.path).succeeds();
  const terminal = socket.accept();
  s.fdrunc(["start", "c"]).succeeds();
  return terminal;
}

system("a terminal goes to the console socket; it is the container's controlling one and its /dev/console", (s) => {
  const terminal = detached(
    s,
    scripted(
      "tty; tty < /dev/console; stat -c '%F %a %u %t:%T' /dev/console; echo via console > /dev/console; echo via tty > /dev/tty; " +
        "ls -1 /proc/self/fd; read line; echo got $line",
    ),
  );
  terminal.write("typed\n");
  const output = terminal.expect().replaceAll("\r\n", "\n");
  terminal.close();
  const [tty, console, status, , ...rest] = output.replace("typed\n", "").split("\n");
  assert.deepEqual([tty, console], ["/dev/pts/0", "/dev/console"]);
  assert.equal(status, "character special file 620 0 88:0");
  assert.deepEqual(rest, ["via tty", "0", "1", "2", "3", "got typed", ""]);
});

withIds("the terminal has the config's size, belongs to the user, and passes on changes and signals", (s) => {
  const terminal = detached(s, (config) => {
    scripted('trap "stty size" WINCH; trap "echo INT" INT; stat -c %u $(tty); stty size; while :; do sleep 0.05; done')(
      config,
    );
    config.process.consoleSize = { height: 33, width: 99 };
    config.process.user = { uid: 1000, gid: 1000 };
  });
  terminal.expect("1000\r\n33 99\r\n");
  terminal.resize(44, 111);
  terminal.expect("44 111\r\n");
  // What control-C is on a terminal that is not raw.
  terminal.write("\x03");
  terminal.expect("INT\r\n");
  terminal.close();
});

/** The first process of a process id namespace gets only those signals that it waits for. */
const UNTIL_HANGUP = "trap exit HUP; tty; while :; do sleep 0.05; done";

system("the size of a terminal that there is none of is ignored", (s) => {
  const out = s.sh("readlink /proc/self/fd/0; test -e /dev/console || echo none", ({ process }) => {
    process.consoleSize = { height: 7, width: 11 };
  });
  assert.equal(out, "/dev/null\nnone\n");
});

system("hanging up the terminal tells the container's program", (s) => {
  const terminal = detached(s, scripted(UNTIL_HANGUP));
  terminal.expect("/dev/pts/0");
  terminal.close();
  s.waitFor("stopped");
});

system("run passes a terminal on: input, output, exit status; and leaves its own as it was", async (s) => {
  s.write(scripted("stty size; tty; read a; echo got $a; exit 7"));
  const { terminal, peer } = openTerminal();
  terminal.resize(21, 77);
  const { ended } = s.start(["run", "c"], { stdio: [peer, peer, peer], under: ["setsid", "--ctty", "--wait"] });
  terminal.expect("21 77\r\n/dev/pts/0\r\n");
  terminal.write("hello\r");
  terminal.expect("got hello\r\n");
  assert.equal((await ended).status, 7);
  // Not raw: what is typed is echoed, and a line's end is one for people.
  terminal.write("x\n");
  terminal.expect("x\r\n");
  close(peer);
  terminal.close();
});

system("run passes on the terminal's new sizes and the keys that mean signals", async (s) => {
  s.write(scripted('trap "stty size" WINCH; trap "echo INT; exit 9" INT; echo up; while :; do sleep 0.05; done'));
  const { terminal, peer } = openTerminal();
  terminal.resize(24, 80);
  const { ended } = s.start(["run", "c"], { stdio: [peer, peer, peer], under: ["setsid", "--ctty", "--wait"] });
  terminal.expect("up");
  terminal.resize(30, 90);
  terminal.expect("30 90\r\n");
  terminal.write("\x03");
  terminal.expect("INT");
  assert.equal((await ended).status, 9);
  close(peer);
  terminal.close();
});

system("run with a terminal but none of its own: input from a pipe, output whole", (s) => {
  s.write(scripted("i=0; while test $i -lt 2000; do echo line $i; i=$((i+1)); done; exit 3"));
  const result = s.run();
  assert.equal(result.status, 3);
  assert.equal(result.stderr, "");
  assert.equal(result.stdout, Array.from({ length: 2000 }, (_, i) => `line ${i}\r\n`).join(""));
});

system("run reads what a terminal puts out while that takes no more input", (s) => {
  const bytes = 600 * 1024;
  s.write((config) => {
    // Each byte that goes in makes several come out, before the next is taken.
    scripted(`stty raw -echo; touch /ready; head -c ${bytes} | hexdump -v; echo end`)(config);
    config.root.readonly = false;
  });
  const feed = `until test -e "$1"; do sleep 0.1; done; shift; head -c ${bytes} /dev/zero`;
  const script = `(${feed}) | (shift; exec timeout --signal KILL 150 "$@")`;
  const result = s.fdrunc(["run", "c"], { under: ["sh", "-c", script, "sh", `${s.rootfs}/ready`] });
  assert.equal(result.status, 0);
  assert.match(result.stdout, /\n0*96000\r?\nend\r?\n$/);
});

system("a detached run wants a console socket for a terminal", (s) => {
  s.write(scripted(UNTIL_HANGUP));
  assert.match(s.run("c", "--detach").fails(), /^process\.terminal: --console-socket is needed/);
  const socket = new ConsoleSocket(s);
  s.run("c", "--detach", "--console-socket", socket.path).succeeds();
  const terminal = socket.accept();
  terminal.expect("/dev/pts/0");
  terminal.close();
  s.waitFor("stopped");
});

asRoot("a terminal in a user namespace", (s) => {
  chownSync(s.rootfs, 100_000, 100_000);
  const terminal = detached(s, (config) => {
    scripted("tty; stat -c %u:%g $(tty); echo done > /dev/console")(config);
    const maps = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
    config.linux.namespaces.push({ type: "user" });
    config.linux.uidMappings = maps;
    config.linux.gidMappings = maps;
    config.process.user = { uid: 1000, gid: 1000 };
  });
  assert.equal(terminal.expect(), "/dev/pts/0\r\n1000:5\r\ndone\r\n");
  terminal.close();
});
