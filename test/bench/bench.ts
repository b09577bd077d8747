/* `npm run bench`: fdrunc beside other runtimes, on this machine. See HELP. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ROOT } from "../folders.js";
import { FDRUNC, MISSING } from "../system/harness.js";
import { benchBundles } from "./bundles.js";
import { CASES, type Case } from "./cases.js";
import { compare, type Outcome } from "./compare.js";
import { moveHugetlb } from "./hugetlb.js";
import { Place } from "./place.js";
import { plot } from "./plot.js";
import { conditions, inDocument, json, scaleTables, table } from "./report.js";
import { installedPeers, namedPeer, type Runtime, runtime } from "./runtimes.js";
import { measureScale, type Scale } from "./scale.js";

const HELP = `npm run bench -- [options]

Compares fdrunc with crun, runc and youki, as far as they are on the PATH, and with those that are named. Each case is
measured for one after the other, again and again; the table gives medians. Run it as root, on a quiet machine.

  --runs N          how often to measure each runtime in each case (100; for --bundles 5)
  --case NAME       only this case; can be given several times: ${CASES.map(({ name }) => name).join(", ")}
  --peer NAME=PATH  a further runtime, or another instead of the one of that name; can be given several times
  --newest          crun and runc as Debian's unstable release has them, unpacked into .cache, instead of the installed
  --scale COUNTS    instead, what commands take beside so many created containers, and how many are created in a second:
                    rising counts, such as 1,10,100,1000
  --plot FILE       also draw that, as SVG
  --bundles         measure fdbundle instead, beside skopeo and umoci: an image of 500 MiB, and containers of it
  --readme          also put the table into README.md
  --json            print JSON instead of the table
  --move-hugetlb    let crun run on a machine whose cgroups are mixed (see below)
  --help            print this

FDRUNC in the environment names another fdrunc than dist/fdrunc; a path that ends in .js is run by Node.

crun refuses to run where some cgroup controllers are in v1 hierarchies while cgroup v2 is mounted beside them and has
any. Often that is only hugetlb. Mounting that as a v1 hierarchy moves it:
  mkdir /sys/fs/cgroup/hugetlb && mount -t cgroup -o hugetlb cgroup /sys/fs/cgroup/hugetlb
With --move-hugetlb the bench does this at its beginning, and unmounts and removes the directory at its end.
`;

const README = join(ROOT, "README.md");

const { values } = parseArgs({
  options: {
    runs: { type: "string" },
    case: { type: "string", multiple: true, default: CASES.map(({ name }) => name) },
    peer: { type: "string", multiple: true, default: [] },
    scale: { type: "string" },
    plot: { type: "string" },
    bundles: { type: "boolean", default: false },
    readme: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    "move-hugetlb": { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

if (values.help) process.stdout.write(HELP);
else {
  try {
    await bench();
  } catch (error) {
    process.stderr.write(`bench: ${(error as Error).message}\n`);
    process.exitCode = 1;
  }
}

async function bench(): Promise<void> {
  if (MISSING) throw new Error(MISSING);
  const [runs, subjects, counts] = [runsAsked(), casesAsked(), countsAsked()];
  if (values.bundles) return tell(await benchBundles(runs, stopped()), "bench of bundles");
  const runtimes = [runtime("fdrunc", FDRUNC), ...peers()];
  if (counts === undefined) await beside(runtimes, subjects, runs);
  else await beyond(runtimes, counts);
}

/** Compares the runtimes in cases. */
async function beside(runtimes: readonly Runtime[], subjects: readonly Case[], runs: number): Promise<void> {
  const outcomes = await inPlace(runtimes, async (place, signal) => {
    const outcomes: Outcome[] = [];
    for (const subject of subjects) {
      if (process.stderr.isTTY) process.stderr.write(`${subject.title} …\n`);
      outcomes.push(await compare(place, runtimes, subject, runs, signal));
    }
    return outcomes;
  });
  const how = conditions(runs);
  if (values.json) process.stdout.write(json(how, runtimes, outcomes));
  tell(table(how, runtimes, outcomes), "bench");
}

/** Prints a table, and puts it into the README if that is asked for. */
function tell(report: string, name: string): void {
  if (!values.json) process.stdout.write(report);
  if (values.readme) writeFileSync(README, inDocument(readFileSync(README, "utf8"), report, name));
}

/** Compares the runtimes at more and more containers. */
async function beyond(runtimes: readonly Runtime[], counts: readonly number[]): Promise<void> {
  const scales = await inPlace(runtimes, async (place, signal) => {
    const scales: Scale[] = [];
    for (const each of runtimes) scales.push(await measureScale(place, each, counts, signal));
    return scales;
  });
  process.stdout.write(values.json ? `${JSON.stringify(scales, null, 2)}\n` : scaleTables(scales));
  if (values.plot !== undefined) writeFileSync(values.plot, plot(scales));
}

/** Measures in a place of the bench's own, of which nothing is left. A signal ends it early, with an Error. */
async function inPlace<T>(
  runtimes: readonly Runtime[],
  measure: (place: Place, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const signal = stopped();
  const moveBack = values["move-hugetlb"] ? moveHugetlb() : () => {};
  const place = new Place();
  try {
    return await measure(place, signal);
  } finally {
    for (const each of runtimes) place.clean(each);
    place.remove();
    moveBack();
  }
}

/** Aborted by signals that end the bench. */
function stopped(): AbortSignal {
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.once(signal, () => stop.abort(new Error(`ended by ${signal}`)));
  return stop.signal;
}

function runsAsked(): number {
  const runs = Number(values.runs ?? (values.bundles ? 5 : 100));
  if (!Number.isInteger(runs) || runs < 1) throw new Error(`--runs "${values.runs}": not a number of runs`);
  return runs;
}

function casesAsked(): Case[] {
  const unknown = values.case.find((name) => !CASES.some((subject) => subject.name === name));
  if (unknown !== undefined) throw new Error(`--case "${unknown}": unknown (see --help)`);
  return CASES.filter(({ name }) => values.case.includes(name));
}

/** The counts of containers to measure at, if any. */
function countsAsked(): number[] | undefined {
  if (values.plot !== undefined && values.scale === undefined) throw new Error("--plot: only together with --scale");
  const counts = values.scale?.split(",").map(Number);
  if (counts?.some((count, i) => !Number.isInteger(count) || count <= (i > 0 ? counts[i - 1] : 0)))
    throw new Error(`--scale "${values.scale}": not rising numbers of containers`);
  return counts;
}

/** The peers that are installed and those that are named, each name once. */
function peers(): Runtime[] {
  const byName = new Map([...installedPeers(), ...values.peer.map(namedPeer)].map((peer) => [peer.name, peer]));
  return [...byName.values()];
}
