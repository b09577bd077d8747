/*
 * `npm run test:vm [-- [--stage NAME]… [FILE…]]`: runs the system tests in a virtual machine that has what the machine at
 * hand may lack: cgroup v2 alone, systemd, AppArmor, every capability, an older kernel. FILE is a name such as
 * "cgroups" or "test/system/cgroups.test.ts"; all unless given. A stage is a way to run them: see STAGES in
 * vm/run-in-guest.mjs. The last line is the sum, as of `npm test`.
 *
 * `npm run test:vm -- [--stage NAME] --shell COMMAND`: runs a shell command there instead, in the repository's directory,
 * which has what is built; its exit status is this one's. Nothing that is written there stays.
 *
 * The machine is QEMU, emulating a processor, with Debian's cloud kernel and a root file system made by mmdebstrap. It
 * takes half a minute to make it once, and ten seconds to boot.
 */
import { basename } from "node:path";
import { parseArgs } from "node:util";
import { buildTests } from "./build-tests.mjs";
import { Summary } from "./summary.mjs";
import { testFiles } from "./test-files.mjs";
import { runInGuest, STAGES, shellInGuest, systemTest } from "./vm/run-in-guest.mjs";

const { values, positionals } = parseArgs({
  options: { stage: { type: "string", multiple: true }, shell: { type: "string" } },
  allowPositionals: true,
});
const stages = values.stage ?? Object.keys(STAGES);
const unknown = stages.find((name) => STAGES[name] === undefined);
if (unknown !== undefined) {
  console.error(`there is no stage "${unknown}", but ${Object.keys(STAGES).join(", ")}`);
  process.exit(1);
}

if (values.shell !== undefined) process.exit(await shellInGuest(stages[0], values.shell));
const summary = new Summary();
await buildTests(summary);
const files = positionals.map((name) => systemTest(basename(name, ".test.ts")));
await runInGuest(summary, stages, files.length > 0 ? files : testFiles("system"));
process.exit(summary.finish());
