/* `npm run bench`: fdrunc beside other runtimes, on this machine. See HELP. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ROOT } from "../folders.js";
import { FDRUNC, MISSING } from "../system/harness.js";
import { CASES } from "./cases.js";
import { compare, type Outcome } from "./compare.js";
import { moveHugetlb } from "./hugetlb.js";
import { Place } from "./place.js";
import { conditions, inDocument, json, table } from "./report.js";
import { installedPeers, namedPeer, type Runtime, runtime } from "./runtimes.js";

const HELP = `npm run bench -- [options]

Compares fdrunc with crun, runc and youki, as far as they are on the PATH, and with those that are named. Each case is
measured for one after the other, again and again; the table gives medians. Run it as root, on a quiet machine.

  --runs N          how often to measure each runtime in each case (100)
  --case NAME       only this case; can be given several times: ${CASES.map(({ name }) => name).join(", ")}
  --peer NAME=PATH  a further runtime, or another instead of the one of that name; can be given several times
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
    runs: { type: "string", default: "100" },
    case: { type: "string", multiple: true, default: CASES.map(({ name }) => name) },
    peer: { type: "string", multiple: true, default: [] },
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
  const runs = Number(values.runs);
  if (!Number.isInteger(runs) || runs < 1) throw new Error(`--runs "${values.runs}": not a number of runs`);
  const unknown = values.case.find((name) => !CASES.some((subject) => subject.name === name));
  if (unknown !== undefined) throw new Error(`--case "${unknown}": unknown (see --help)`);
  const runtimes = [runtime("fdrunc", FDRUNC), ...peers()];

  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.once(signal, () => stop.abort(new Error(`ended by ${signal}`)));
  const moveBack = values["move-hugetlb"] ? moveHugetlb() : () => {};
  const place = new Place();
  const outcomes: Outcome[] = [];
  try {
    for (const subject of CASES.filter(({ name }) => values.case.includes(name))) {
      if (process.stderr.isTTY) process.stderr.write(`${subject.title} …\n`);
      outcomes.push(await compare(place, runtimes, subject, runs, stop.signal));
    }
  } finally {
    for (const each of runtimes) place.clean(each);
    place.remove();
    moveBack();
  }
  const how = conditions(runs);
  process.stdout.write((values.json ? json : table)(how, runtimes, outcomes));
  if (values.readme) writeFileSync(README, inDocument(readFileSync(README, "utf8"), table(how, runtimes, outcomes)));
}

/** The peers that are installed and those that are named, each name once. */
function peers(): Runtime[] {
  const byName = new Map([...installedPeers(), ...values.peer.map(namedPeer)].map((peer) => [peer.name, peer]));
  return [...byName.values()];
}
