import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { ROOT } from "../folders.js";
import { FDRUNC } from "../system/harness.js";
import { aligned, type Conditions, cell, conditions, ratio } from "./report.js";
import { runtime } from "./runtimes.js";
import { writeSample } from "./sample-image.js";
import { type Summary, summarize } from "./statistics.js";
import { type Act, type Measured, Stopwatch } from "./stopwatch.js";

const FDBUNDLE = [process.execPath, join(ROOT, "dist/node/bin/fdbundle.js")];
const TOOLS = ["skopeo", "umoci"];
/** The stores whose bundles share layers, each on a file system for itself. */
const FILE_SYSTEMS = { overlay: "ext4", btrfs: "btrfs" } as const;
type Sharing = keyof typeof FILE_SYSTEMS;
const CONTAINERS = 10;
const MIB = 1 << 20;

/** A row of the table: what fdbundle, and what the others come to. */
type Row = [label: string, own: Summary, other?: Summary];

/**
 * Measures what fdbundle makes of a sample image, and how long skopeo and umoci take to do the same. Returns a table in
 * Markdown. Throws Error, also the signal's reason.
 */
export async function benchBundles(runs: number, signal: AbortSignal): Promise<string> {
  const bench = new Bench(runs, signal);
  try {
    return await bench.run();
  } finally {
    bench.remove();
  }
}

class Bench {
  private readonly tools = TOOLS.map(find);
  private readonly directory = mkdtempSync(join(realpathSync(tmpdir()), "fdrunc-bench-"));
  private stopwatches = 0;

  constructor(
    private readonly runs: number,
    private readonly signal: AbortSignal,
  ) {}

  async run(): Promise<string> {
    const how = conditions(this.runs);
    const tarballs = { oci: this.path("oci.tar"), docker: this.path("docker.tar") };
    writeSample(tarballs.oci, tarballs.docker);
    this.mountFileSystems();
    const rows: Row[] = [
      ...(await this.conversions("an OCI layout, gzip", tarballs.oci, `oci-archive:${tarballs.oci}`)),
      ...(await this.conversions("what docker save writes", tarballs.docker, `docker-archive:${tarballs.docker}`)),
    ];
    for (const kind of ["overlay", "btrfs"] as const) rows.push(...(await this.containers(kind, tarballs.docker)));
    return table(how, rows);
  }

  remove(): void {
    for (const name of Object.values(FILE_SYSTEMS)) spawnSync("umount", [this.path(name)]);
    rmSync(this.directory, { recursive: true });
  }

  private path(...names: string[]): string {
    return join(this.directory, ...names);
  }

  /** File systems of their own, to see what takes how much of them. */
  private mountFileSystems(): void {
    for (const name of Object.values(FILE_SYSTEMS)) {
      mkdirSync(this.path(name));
      const script = 'truncate -s 4G "$0.img" && mkfs.$1 -q "$0.img" && mount -o loop "$0.img" "$0"';
      const { status, stderr } = spawnSync("sh", ["-c", script, this.path(name), name], { encoding: "utf8" });
      if (status !== 0) throw new Error(stderr.trim().split("\n").at(-1));
    }
  }

  private stopwatch(...acts: Act[]): Stopwatch {
    return new Stopwatch(this.path(`stopwatch-${this.stopwatches++}`), acts);
  }

  private fdbundle(root: string, ...args: string[]): string[] {
    return [...FDBUNDLE, "--root", join(root, "store"), ...args];
  }

  /** Measures conversions into overlay directories, and what the others do, by turns. */
  private async conversions(form: string, tarball: string, reference: string): Promise<Row[]> {
    const [bundle, layout, unpacked] = ["bundle", "layout", "unpacked"].map((name) => this.path(name));
    const own = this.stopwatch(this.fdbundle(this.directory, "from-tar", tarball, "-o", bundle, "--store", "overlay"));
    const remove = this.stopwatch(this.fdbundle(this.directory, "rm", bundle));
    const [skopeo, umoci] = this.tools;
    const others = this.stopwatch(
      [skopeo, "copy", "--quiet", reference, `oci:${layout}:1`],
      [umoci, "unpack", "--image", `${layout}:1`, unpacked],
    );
    const samples = await this.measure(
      () => {
        const measured = own.measure();
        remove.measure();
        return measured;
      },
      () => {
        const measured = others.measure();
        for (const path of [layout, unpacked]) rmSync(path, { recursive: true });
        return measured;
      },
    );
    const [time, peak] = [
      samples.map((each) => summarize(each.map(({ milliseconds }) => milliseconds / 1000))),
      samples.map((each) => summarize(each.map((measured) => measured.peak / 1024))),
    ];
    return [
      [`convert ${form}: time (s)`, time[0], time[1]],
      [`convert ${form}: peak memory (MiB)`, peak[0], peak[1]],
    ];
  }

  /** Makes containers of one image: how long each takes to run /bin/true, and what more than one take of the disk. */
  private async containers(kind: Sharing, tarball: string): Promise<Row[]> {
    const root = this.path(FILE_SYSTEMS[kind]);
    const bundles = Array.from({ length: CONTAINERS }, (_, i) => join(root, `bundle-${i}`));
    const command = (bundle: string) => [...FDRUNC, "--root", this.path("state"), "run", "-b", bundle, "fdrunc-bench"];
    const [used, times]: [number[], number[]] = [[], []];
    for (const bundle of bundles) {
      this.stopwatch(this.fdbundle(root, "from-tar", tarball, "-o", bundle, "--store", kind)).measure();
      times.push(this.stopwatch(command(bundle)).measure().milliseconds);
      used.push(usedOf(root));
      await this.breathe();
    }
    this.stopwatch(this.fdbundle(root, "rm", ...bundles)).measure();
    return [
      [`run /bin/true in each of ${CONTAINERS} new bundles, ${kind}: time (ms)`, summarize(times)],
      [
        `what ${CONTAINERS} containers take more than one, ${kind}: disk space (MiB)`,
        summarize([(used[CONTAINERS - 1] - used[0]) / MIB]),
      ],
    ];
  }

  /** Measures each by turns, with nothing left to be written from before. */
  private async measure(...acts: (() => Measured)[]): Promise<Measured[][]> {
    const samples: Measured[][] = acts.map(() => []);
    for (let run = 0; run < this.runs; run++)
      for (const [i, act] of acts.entries()) {
        spawnSync("sync");
        samples[i].push(act());
        await this.breathe();
      }
    return samples;
  }

  /** Lets signals in. */
  private async breathe(): Promise<void> {
    await setImmediate();
    this.signal.throwIfAborted();
  }
}

/** What of a file system is used, in bytes. */
function usedOf(directory: string): number {
  spawnSync("sync", ["-f", directory]);
  const { blocks, bfree, bsize } = statfsSync(directory);
  return (blocks - bfree) * bsize;
}

function find(tool: string): string {
  const { status, stdout } = spawnSync("sh", ["-c", `command -v ${tool}`], { encoding: "utf8" });
  if (status !== 0) throw new Error(`${tool} is not installed`);
  return stdout.trim();
}

function table(how: Conditions, rows: readonly Row[]): string {
  const own = runtime("fdbundle", FDBUNDLE).title;
  const others = TOOLS.map((tool) => runtime(tool, [find(tool)]).title).join(", ");
  const cells = rows.map(([label, mine, other]) => [label, cell(mine), cell(other), ratio(mine, other)]);
  return `${how.date}, ${how.machine}; medians (and their 95 % confidence intervals) of ${how.runs} runs in turn:\n
${aligned([["", own, others, "fdbundle : others"], ...cells])}`;
}
