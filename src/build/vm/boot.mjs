import { spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Unavailable } from "../unavailable.mjs";
import { makeImage, makeRoot } from "./make-root.mjs";

const ROOT = new URL("../../../", import.meta.url).pathname;
/** What the guest does without: the history, what is made on the way, and what only builds and checks. */
const LEFT_OUT =
  /^(\.git|\.cache|dist\/fdrunc-.*|node_modules\/(@biomejs|@esbuild|@typescript|esbuild|prettier|typescript))$/;
const MEMORY_MIB = 2048;
/**
 * Beside what is needed to boot at all: an emulated processor on a busy machine is late for the kernel's check of its
 * timer, and for systemd.
 */
const KERNEL_OPTIONS =
  "console=ttyS0 root=/dev/nvme0n1 rw quiet panic=-1 no_timer_check nowatchdog systemd.default_timeout_start_sec=600";
/** Of the console, what is shown when the guest fails. */
const CONSOLE_LINES = 60;

/**
 * Boots the guest, lets it run a shell script, and turns it off. The script finds the repository, as it is now with what
 * is built of it, at /srv/fdrunc, and Node at /srv/node; it runs as root. The guest's disks take what it writes, and
 * forget it.
 *
 * @param {string} job the script
 * @param {number} seconds how long all may take
 * @param {(line: string) => void} take gets each line that the script puts out, on standard output or error
 * @returns {Promise<number>} the script's exit status
 * @throws {Unavailable} where this machine cannot run the guest
 * @throws {Error} when the guest does not come to the script's end; with the end of what it wrote on its console
 */
export async function boot(job, seconds, take) {
  const { image, kernel } = await makeRoot();
  const directory = mkdtempSync(join(tmpdir(), "fdrunc-vm-"));
  const remove = () => rmSync(directory, { recursive: true, force: true });
  process.on("exit", remove);
  try {
    const payload = join(directory, "payload.img");
    makePayload(payload, join(directory, "payload"), job);
    const console_ = join(directory, "console");
    const { status, cause } = await emulate(commandLine({ image, kernel, payload, console: console_ }), seconds, take);
    if (status !== undefined) return status;
    const told = readFileSync(console_, "utf8").trimEnd();
    if (told === "") throw new Unavailable(cause);
    throw new Error(`${cause}; the end of its console:\n${told.split("\n").slice(-CONSOLE_LINES).join("\n")}`);
  } finally {
    process.off("exit", remove);
    remove();
  }
}

// A signal, too, leaves nothing; the end of this process is QEMU's.
for (const signal of ["SIGHUP", "SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(1));

/** Makes the file system that the guest mounts on /srv. */
function makePayload(image, directory, job) {
  mkdirSync(directory);
  const inside = join(directory, "fdrunc");
  cpSync(ROOT, inside, {
    recursive: true,
    verbatimSymlinks: true,
    filter: (path) => !LEFT_OUT.test(path.slice(ROOT.length)),
  });
  try {
    cpSync(join(ROOT, "../shared"), join(directory, "shared"), { recursive: true, dereference: true });
  } catch (error) {
    if (error.code !== "ENOENT") throw error;
  }
  cpSync(process.execPath, join(directory, "node"));
  writeFileSync(join(directory, "job"), job);
  makeImage(image, "payload", directory, "1G");
  rmSync(directory, { recursive: true });
}

/** The machine: its console is written to a file, the job's output to QEMU's standard output. */
function commandLine({ image, kernel, payload, console: console_ }) {
  const disk = (file, name) => [
    ...["-drive", `file=${file},format=raw,if=none,id=${name},snapshot=on`],
    ...["-device", `nvme,drive=${name},serial=${name}`],
  ];
  return [
    ...["setpriv", "--pdeathsig", "KILL", "qemu-system-x86_64", "-nodefaults", "-display", "none", "-no-reboot"],
    ...["-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", String(MEMORY_MIB)],
    ...["-chardev", `file,id=console,path=${console_}`, "-serial", "chardev:console", "-serial", "stdio"],
    ...["-kernel", kernel, "-append", KERNEL_OPTIONS],
    ...disk(image, "root"),
    ...disk(payload, "payload"),
  ];
}

/** Runs QEMU up to its end. Without the job's status, there is a cause for that. */
async function emulate([program, ...args], seconds, take) {
  const qemu = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
  let status;
  let late = false;
  let complaint = "";
  const timer = setTimeout(() => {
    late = true;
    qemu.kill("SIGKILL");
  }, seconds * 1000);
  const ended = new Promise((resolve, reject) => qemu.on("error", reject).on("close", resolve));
  qemu.stderr.setEncoding("utf8").on("data", (text) => {
    complaint += text;
  });
  createInterface({ input: qemu.stdout }).on("line", (line) => {
    if (line.startsWith("\x04")) status = Number(line.slice(1));
    else if (status === undefined) take(line);
  });
  const code = await ended.finally(() => clearTimeout(timer));
  if (late) return { cause: `the guest did not end within ${seconds} seconds` };
  return { status, cause: `the guest ended early, QEMU with status ${code}: ${complaint.trim()}` };
}
