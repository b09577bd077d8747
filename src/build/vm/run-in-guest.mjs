import { Unavailable } from "../unavailable.mjs";
import { boot } from "./boot.mjs";

/** Seconds that a stage may take; a file of it less, so that one which does not end is told by its name. */
const LIMITS = { brief: { stage: 20 * 60, file: 15 * 60 }, whole: { stage: 180 * 60, file: 45 * 60 } };
const PATH = "/srv/fdrunc/dist:/srv:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/**
 * How the system tests are run: by whom (root unless said), and what global options fdrunc gets from them, in
 * FDRUNC_FLAGS. The tests run in a service of their own that cgroups are delegated to, unless that is said to be false.
 * Those that need what the user lacks are skipped.
 *
 * All files take an emulated processor too long for each `npm test -- all`. `brief` names those to which cgroup v2,
 * systemd, AppArmor, every capability and criu make a difference; the others were run on the machine at hand.
 *
 * @type {Record<string, { user?: string, isDelegated?: boolean, flags?: string, brief: string[] }>}
 */
export const STAGES = {
  cgroupfs: {
    flags: "--cgroup-manager=cgroupfs",
    brief: ["cgroups", "update", "events", "pause", "errors", "labels", "checkpoint", "rootless", "rootless-refusals"],
  },
  systemd: {
    flags: "--cgroup-manager=systemd",
    brief: ["systemd", "rootless-systemd", "cgroups", "update", "events", "pause"],
  },
  /** A user with subordinate ids and a systemd. */
  rootless: { user: "tester", flags: "--cgroup-manager=cgroupfs", brief: ["cgroups", "update"] },
  "rootless-systemd": { user: "tester", flags: "--cgroup-manager=systemd", brief: ["cgroups", "update"] },
  /** A user with nothing. */
  "one-id": { user: "single", isDelegated: false, brief: ["run"] },
};

/** The path below test/ of a file of system tests, as `testFiles` has it. */
export const systemTest = (name) => `system/${name}.test.ts`;

/**
 * Runs system tests in the guest, with the QuickJS form, in a boot for each stage. Where this machine cannot run the
 * guest, they are skipped.
 *
 * @param {import("../summary.mjs").Summary} summary
 * @param {string[]} [stages] names
 * @param {string[]} [files] below test/; those in brief unless given, in less time
 */
export async function runInGuest(summary, stages = Object.keys(STAGES), files) {
  for (const name of stages) {
    const stage = `guest ${name}`;
    await summary.stage(stage, async (take) => {
      let other = "";
      const limits = files === undefined ? LIMITS.brief : LIMITS.whole;
      try {
        const job = command(name, [
          ...["/srv/node", "src/build/vm/run-stage.mjs", String(limits.file)],
          ...(files ?? STAGES[name].brief.map(systemTest)),
        ]);
        const status = await boot(job, limits.stage, (line) => {
          if (line.startsWith("{")) take(JSON.parse(line));
          else other += `${line}\n`;
        });
        if (status !== 0)
          take({ outcome: "failed", what: "running the tests", why: `status ${status}`, output: other });
      } catch (error) {
        const unavailable = error instanceof Unavailable;
        take({
          outcome: unavailable ? "skipped" : "failed",
          what: "running the tests",
          why: error.message,
          output: other,
        });
      }
    });
  }
}

/**
 * Runs a shell command in the guest, as a stage's tests are run, in the repository's directory. What it puts out goes to
 * standard output.
 *
 * @returns {Promise<number>} its exit status
 * @throws {Error} when the guest fails
 */
export function shellInGuest(stage, text) {
  return boot(command(stage, ["sh", "-c", text]), LIMITS.whole.stage, (line) => console.log(line));
}

/** A shell command that carries out a command in a stage. */
function command(name, args) {
  const { user, isDelegated = true, flags = "" } = STAGES[name];
  const environment = { PATH, FDRUNC_FORM: "quickjs", FDRUNC: "/srv/fdrunc/dist/fdrunc", FDRUNC_FLAGS: flags };
  const service = [
    ...["systemd-run", "--quiet", "--pipe", "--wait", "--collect", "--working-directory=/srv/fdrunc"],
    ...[
      `--property=Delegate=${isDelegated}`,
      ...Object.entries(environment).map((entry) => `--setenv=${entry.join("=")}`),
    ],
  ];
  if (user === undefined) return quoted([...service, ...args]);
  if (!isDelegated) return quoted([...service, `--uid=${user}`, ...args]);
  const own = ["runuser", "-u", user, "--", ...service, "--user", ...args];
  return `id=$(id -u ${user}); systemctl start user@$id; XDG_RUNTIME_DIR=/run/user/$id ${quoted(own)}`;
}

const quoted = (args) => args.map((arg) => `'${arg.replaceAll("'", "'\\''")}'`).join(" ");
