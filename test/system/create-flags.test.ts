import assert from "node:assert/strict";
import { closeSync, openSync, readFileSync, readlinkSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { close } from "../../src/linux/file.js";
import { ConsoleSocket } from "./console.js";
import { asRoot, eventually, type Scene } from "./harness.js";
import { planOf } from "./trace.js";

/** The two commands that make a container, in the background. */
const COMMANDS = [["create"], ["run", "--detach"]] as const;

/** Makes a container of the bundle with each command; looks at it and removes it. */
function each(s: Scene, make: (command: readonly string[]) => void): void {
  for (const command of COMMANDS) {
    make(command);
    s.fdrunc(["delete", "--force", "c"]).succeeds();
  }
}

const pidOf = (s: Scene): number => Number(s.stateOf().pid);

function sleeping(s: Scene, terminal = false): void {
  s.write(({ process }) => {
    process.args = ["sleep", "1000"];
    process.terminal = terminal;
  });
}

asRoot("create and run: --bundle, --config, --pid-file", (s) => {
  sleeping(s);
  each(s, (command) => {
    s.fdrunc([...command, "--bundle", s.bundle, "--pid-file", s.path("pid"), "c"], { cwd: "/" }).succeeds();
    assert.equal(readFileSync(s.path("pid"), "utf8"), String(pidOf(s)));
    writeFileSync(s.path("pid"), "");
  });
  renameSync(`${s.bundle}/config.json`, s.path("other.json"));
  each(s, (command) => s.fdrunc([...command, "--config", s.path("other.json"), "c"]).succeeds());
});

asRoot("create and run: --preserve-fds", (s) => {
  sleeping(s);
  writeFileSync(s.path("extra"), "");
  const extra = openSync(s.path("extra"), "r");
  each(s, (command) => {
    const stdio = ["ignore", undefined, undefined, extra] as number[];
    s.fdrunc([...command, "--preserve-fds", "1", "c"], { stdio }).succeeds();
    eventually(() => assert.equal(readlinkSync(`/proc/${pidOf(s)}/fd/3`), s.path("extra")));
  });
  closeSync(extra);
});

asRoot("create and run: --pidfd-socket", (s) => {
  sleeping(s);
  each(s, (command) => {
    const socket = new ConsoleSocket(s);
    s.fdrunc([...command, "--pidfd-socket", socket.path, "c"]).succeeds();
    const { fd } = socket.accept();
    assert.match(readFileSync(`/proc/self/fdinfo/${fd}`, "utf8"), new RegExp(`^Pid:\\s*${pidOf(s)}$`, "m"));
    close(fd);
    rmSync(socket.path);
  });
});

asRoot("create and run: --console-socket", (s) => {
  sleeping(s, true);
  each(s, (command) => {
    const socket = new ConsoleSocket(s);
    s.fdrunc([...command, "--console-socket", socket.path, "c"]).succeeds();
    const terminal = socket.accept();
    eventually(() => assert.match(readlinkSync(`/proc/${pidOf(s)}/fd/0`), /^\/dev\/pts\/|\/dev\/console$/));
    terminal.close();
    rmSync(socket.path);
  });
});

/** The number of the one step of a plan that is such a system call. */
const numberOf = (s: Scene, flags: string[], call: RegExp): string => {
  const [line, ...more] = s
    .fdrunc(["plan", ...flags])
    .succeeds()
    .split("\n")
    .filter((text) => call.test(text));
  assert.deepEqual(more, []);
  return (line as string).trim().split(" ")[0] as string;
};

asRoot("create, run and plan: --no-pivot and --no-new-keyring make other steps, --fail-step makes one fail", (s) => {
  assert.throws(() => numberOf(s, ["--no-pivot"], /pivot_root\(/));
  assert.throws(() => numberOf(s, ["--no-new-keyring"], /keyctl\(/));
  const cases: [flag: string, call: RegExp, error: RegExp][] = [
    ["--no-pivot", /chroot\(/, /^root\.path: .*\(step \d+\): chroot: /],
    // All steps behind the one that is not there have other numbers.
    ["--no-new-keyring", /pivot_root\(/, /^root\.path: .*\(step \d+\): pivot_root: /],
  ];
  for (const [flag, call, error] of cases)
    for (const [command] of COMMANDS) {
      const step = `${numberOf(s, [flag], call)}:EBUSY`;
      assert.match(s.fdrunc([command, flag, "--fail-step", step, "c"]).fails(), error, `${command} ${flag}`);
      s.assertNothingLeft();
    }
});

asRoot("plan: --bundle, --config, --preserve-fds, --format", (s) => {
  const plain = s.fdrunc(["plan"]).succeeds();
  assert.equal(s.fdrunc(["plan", "--bundle", s.bundle], { cwd: "/" }).succeeds(), plain);
  assert.notEqual(s.fdrunc(["plan", "--preserve-fds", "2"], { stdio: ["ignore", ...three(s)] }).succeeds(), plain);
  assert.ok(planOf(s).length > 10);
  renameSync(`${s.bundle}/config.json`, s.path("other.json"));
  assert.equal(s.fdrunc(["plan", "--config", s.path("other.json")]).succeeds(), plain);
});

/** Standard output and error as they are, and two descriptors behind them. */
const three = (s: Scene): number[] => {
  const extra = () => openSync(`${s.bundle}/config.json`, "r");
  return [undefined, undefined, extra(), extra()] as number[];
};
