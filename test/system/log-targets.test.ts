import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, rmSync } from "node:fs";
import { C } from "../../src/linux/constants.js";
import { EAGAIN } from "../../src/linux/errno.js";
import { closeAll, type Fd, read } from "../../src/linux/file.js";
import { receive } from "../../src/linux/socket.js";
import { attempt, sys } from "../../src/linux/syscall.js";
import { asRoot, type Calling, type Scene } from "./harness.js";

/** Sockets in the place of the system's logs, for commands that run `under` a mount namespace of their own. */
class Logs {
  readonly under: string[];
  private readonly sockets: Fd[] = [];
  private readonly listening: Record<string, Fd> = {};

  constructor(s: Scene) {
    const [dev, run] = ["dev", "run"].map((name) => s.mountTmpfs(name, "-o", "mode=755"));
    assert.equal(spawnSync("mknod", [`${dev}/null`, "c", "1", "3"]).status, 0);
    assert.equal(spawnSync("mknod", [`${dev}/urandom`, "c", "1", "9"]).status, 0);
    mkdirSync(`${run}/systemd/journal`, { recursive: true });
    const script = 'mount --rbind "$0" /dev && mount --rbind "$1" /run && shift && exec "$@"';
    this.under = ["unshare", "--mount", "sh", "-c", script, dev, run];
  }

  /** Listens at a path of the commands'. */
  listen(s: Scene, path: string, type: number): void {
    const socket = this.socket(type);
    this.listening[path] = socket;
    const address = addressOf(s, path);
    sys("bind", socket, address, address.length);
    if (type === C.SOCK_STREAM) sys("listen", socket, 8);
  }

  /** Sends as much to a path's socket as it takes: messages, or connections. */
  fill(s: Scene, path: string, type: number): void {
    const address = addressOf(s, path);
    for (let result = 0; result !== -EAGAIN; ) {
      const socket = this.socket(type);
      result = attempt("connect", socket, address, address.length);
      while (type === C.SOCK_DGRAM && result >= 0) result = attempt("sendto", socket, address, 1, 0, null, 0);
    }
  }

  private socket(type: number): Fd {
    const socket = sys("socket", C.AF_UNIX, type | C.SOCK_CLOEXEC | C.SOCK_NONBLOCK, 0);
    this.sockets.push(socket);
    return socket;
  }

  /** The message that came to a path's socket, which must be one. */
  message(path: string): string {
    const { bytes } = receive(this.listening[path], 65536);
    assert.ok(attempt("recvmsg", this.listening[path], new Uint8Array(56), 0) < 0);
    return Buffer.from(bytes).toString();
  }

  /** What came by the connection that a path's socket has taken. */
  stream(path: string): string {
    const connection = sys("accept4", this.listening[path], null, null, C.SOCK_CLOEXEC);
    const bytes = new Uint8Array(65536);
    const size = read(connection, bytes);
    closeAll([connection]);
    return Buffer.from(bytes.subarray(0, size)).toString();
  }

  close(): void {
    closeAll(this.sockets);
  }
}

/** struct sockaddr_un of a path of the commands'. */
const addressOf = (s: Scene, path: string): Buffer => Buffer.from(`\x01\0${s.path(path)}\0`);

const MESSAGE = 'container "absent" does not exist';

/** Has a message of this level logged, `MESSAGE` for an error. */
function log(s: Scene, logs: Logs, target: string, format = "text", calling: Calling = {}): void {
  const flags = ["--log", target, "--log-format", format];
  const result = s.fdrunc([...flags, "state", "absent"], { under: logs.under, ...calling });
  assert.equal(result.fails(), MESSAGE);
}

function withLogs(name: string, run: (s: Scene, logs: Logs, skip: (reason: string) => void) => void): void {
  asRoot(name, (s, t) => {
    const logs = new Logs(s);
    try {
      run(s, logs, (reason) => t.skip(reason));
    } finally {
      logs.close();
    }
  });
}

/** Dates as RFC 3164 has them, of each second from one time on to now. */
function dates(since: number, timeZone?: string): string[] {
  const seconds = Math.floor(Date.now() / 1000) - Math.floor(since / 1000) + 1;
  return Array.from({ length: seconds }, (_, i) => {
    const local = new Date(since + i * 1000).toLocaleString("sv", { ...(timeZone && { timeZone }) });
    const [, month, day, time] = /^\d+-(\d+)-(\d+) (.*)$/.exec(local) as RegExpExecArray;
    const name = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ")[Number(month) - 1];
    return `${name} ${day.replace(/^0/, " ")} ${time}`;
  });
}

withLogs("--log syslog:NAME sends what syslog(3) would send, with the local time", (s, logs) => {
  logs.listen(s, "dev/log", C.SOCK_DGRAM);
  const zones = [undefined, ...(existsSync("/usr/share/zoneinfo/Asia/Tokyo") ? ["Asia/Tokyo"] : [])];
  for (const zone of zones) {
    const since = Date.now();
    log(s, logs, "syslog:box", "text", zone === undefined ? {} : { env: { TZ: zone } });
    const message = logs.message("dev/log");
    const expected = dates(since, zone).map((date) => `<11>${date} box: ${MESSAGE}`);
    assert.ok(expected.includes(message), message);
  }
  log(s, logs, "syslog:box", "json");
  const [, json] = /^<11>.{15} box: (.*)$/.exec(logs.message("dev/log")) as RegExpExecArray;
  const { level, msg } = JSON.parse(json);
  assert.deepEqual([level, msg], ["error", MESSAGE]);
  s.write((config) => {
    config.hooks = { poststop: [{ path: "/bin/false" }] };
  });
  const run = ["--log", "syslog:box", "--debug", "run", "c"];
  const { status } = s.fdrunc(run, { under: logs.under });
  assert.equal(status, 0);
  assert.match(logs.message("dev/log"), /^<12>.{15} box: hooks\.poststop\[0\]: "\/bin\/false": exit status 1$/);
});

withLogs("a system log that takes streams gets one", (s, logs) => {
  logs.listen(s, "dev/log", C.SOCK_STREAM);
  log(s, logs, "syslog:box");
  assert.match(logs.stream("dev/log"), new RegExp(`^<11>.{15} box: ${MESSAGE}\0$`));
});

withLogs("--log journald:NAME sends fields by the journal's protocol", (s, logs) => {
  logs.listen(s, "run/systemd/journal/socket", C.SOCK_DGRAM);
  const name = "two\nlines";
  log(s, logs, `journald:${name}`);
  const field = (key: string, value: string) => {
    const size = Buffer.alloc(8);
    size.writeBigUInt64LE(BigInt(value.length));
    return `${key}\n${size}${value}\n`;
  };
  const fields = { MESSAGE, PRIORITY: "3", SYSLOG_IDENTIFIER: name, ID: name };
  const expected = Object.entries(fields).map(([key, value]) => field(key, value));
  assert.equal(logs.message("run/systemd/journal/socket"), expected.join(""));
  log(s, logs, "journald:box", "json");
  assert.match(logs.message("run/systemd/journal/socket"), /^MESSAGE\n.{8}\{"level":"error","msg":/s);
});

withLogs("a log that is not there is told in one line, before the message itself", (s, logs) => {
  for (const [target, cause] of [
    ["syslog:x", '"/dev/log": no such file or directory (ENOENT) (does a system log run?)'],
    ["journald:x", '"/run/systemd/journal/socket": no such file or directory (ENOENT) (does systemd-journald run?)'],
  ]) {
    const { status, stderr } = s.fdrunc(["--log", target, "state", "absent"], { under: logs.under });
    assert.equal(status, 1);
    assert.equal(stderr, `fdrunc: --log "${target}": connect to ${cause}\nfdrunc: ${MESSAGE}\n`);
    // Where nothing is to be said, nothing is looked for.
    assert.equal(s.fdrunc(["--log", target, "list", "--quiet"], { under: logs.under }).succeeds(), "");
  }
  for (const target of ["syslog:", "journald:", "file:"])
    assert.match(
      s.fdrunc(["--log", target, "list"]).fails(),
      /--log.* not of the form "\[file:\]PATH", "journald:NAME" or "syslog:NAME"$/,
    );
});

withLogs(
  "a log whose reader takes nothing is not waited for long: the message goes to standard error alone",
  (s, logs) => {
    const refused = (target: string, cause: string) => {
      const { status, stderr } = s.fdrunc(["--log", target, "state", "absent"], { under: logs.under });
      assert.equal(status, 1);
      assert.equal(stderr, `fdrunc: --log "${target}": ${cause}\nfdrunc: ${MESSAGE}\n`);
    };
    const full = "resource temporarily unavailable (EAGAIN)";
    logs.listen(s, "run/systemd/journal/socket", C.SOCK_DGRAM);
    logs.fill(s, "run/systemd/journal/socket", C.SOCK_DGRAM);
    refused("journald:x", `sendto: ${full} (does systemd-journald run?)`);
    logs.listen(s, "dev/log", C.SOCK_DGRAM);
    logs.fill(s, "dev/log", C.SOCK_DGRAM);
    refused("syslog:x", `sendto: ${full} (does a system log run?)`);
    rmSync(s.path("dev/log"));
    logs.listen(s, "dev/log", C.SOCK_STREAM);
    logs.fill(s, "dev/log", C.SOCK_STREAM);
    refused("syslog:x", `connect to "/dev/log": ${full} (does a system log run?)`);
  },
);

withLogs("beside crun: the same priority, identifier and JSON", (s, logs, skip) => {
  if (spawnSync("crun", ["--version"]).status !== 0) return skip("needs crun");
  logs.listen(s, "dev/log", C.SOCK_DGRAM);
  const shape = (message: string) => {
    const [, priority, text] = /^<(\d+)>\w{3} [ \d]\d [\d:]{8} box: (.*)$/.exec(message) as RegExpExecArray;
    return [priority, text.startsWith("{") ? Object.keys(JSON.parse(text)).sort() : "text"];
  };
  for (const format of ["text", "json"]) {
    log(s, logs, "syslog:box", format);
    const ours = logs.message("dev/log");
    const [command, ...args] = [...logs.under, "crun", "--log", "syslog:box", "--log-format", format];
    assert.notEqual(spawnSync(command, [...args, "--root", s.path("crun"), "state", "absent"]).status, 0);
    assert.deepEqual(shape(ours), shape(logs.message("dev/log")));
  }
});
