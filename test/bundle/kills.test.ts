import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import type { StoreKind } from "../../src/bundle/bundle-record.js";
import { makeBundle } from "../../src/bundle/make-bundle.js";
import { ROOT } from "../folders.js";
import { layer, ociArchive } from "./archives.js";
import { eachStore, faultsIn, type Place, RUN } from "./place.js";
import { directory, file, link } from "./tar-writer.js";
import { tree } from "./tree.js";

/** How often one conversion, or two at once, is killed in each store; FDBUNDLE_KILLS in the environment says another number. */
const ROUNDS = Number(process.env.FDBUNDLE_KILLS ?? 34);

/** An image of a few layers: whiteouts, links to what lies below, a volume. */
const IMAGE = ociArchive(
  [0, 1, 2].map((n) =>
    layer([
      directory(`d${n}/`),
      ...Array.from({ length: 80 }, (_, i) => file(`d${n}/${i}`, `${n} ${i}`.repeat(50))),
      ...(n > 0 ? [file(`d${n - 1}/.wh.7`), link(`d${n}/link`, `d${n - 1}/8`)] : []),
    ]),
  ),
);

/** A conversion in a process of its own, which waits for "go". */
class Conversion {
  private readonly child: ChildProcess;
  private readonly closed: Promise<unknown[]>;

  constructor(place: Place, tarball: string, kind: StoreKind, output: string) {
    const program = join(ROOT, "dist/test/test/bundle/waiting-fdbundle.js");
    const args = ["--root", place.path("store"), "from-tar", tarball, "-o", output, "--store", kind];
    this.child = spawn(process.execPath, [program, ...args], {
      cwd: place.directory,
      stdio: ["pipe", "pipe", "ignore"],
    });
    this.closed = once(this.child, "close");
    // It may be killed before it has read.
    this.child.stdin?.on("error", () => {});
  }

  async ready(): Promise<void> {
    await once(this.child.stdout as NonNullable<ChildProcess["stdout"]>, "data");
  }

  go(): void {
    this.child.stdin?.end("\n");
  }

  async killAfter(milliseconds: number): Promise<void> {
    await setTimeout(milliseconds);
    this.child.kill("SIGKILL");
    await this.closed;
  }

  /** Waits for its end. Returns how long that took, in milliseconds. */
  async ended(): Promise<number> {
    const start = performance.now();
    assert.deepEqual(await this.closed, [0, null]);
    return performance.now() - start;
  }
}

eachStore(`conversions killed at ${ROUNDS} random moments, one and two at once`, async (place, kind) => {
  const tarball = place.write("image.tar", IMAGE);
  const convert = (output: string) => new Conversion(place, tarball, kind, output);
  const expected = async () => {
    const order = {
      tarball,
      output: place.path("bundle"),
      name: undefined,
      platform: undefined,
      store: kind,
      run: RUN,
    };
    const bundle = await makeBundle(place.store, order, place.task());
    // The image does not say what time its root has.
    const { ".": _, ...found } = tree(`${bundle}/rootfs`);
    place.store.remove(place.store.bundles()[0], true);
    return found;
  };
  const whole = await expected();
  assert.ok(Object.keys(whole).length > 230);

  const first = convert("bundle-first");
  await first.ready();
  first.go();
  /** Up to when conversions are killed: so that some are complete by then, whatever else the machine does meanwhile. */
  let latest = await first.ended();
  place.store.remove(place.store.bundles()[0], true);
  place.isClean();

  const start = (i: number) => ["bundle-a", "bundle-b"].slice(0, 1 + (i % 2)).map(convert);
  let next = start(0);
  let finished = 0;
  for (let i = 0; i < ROUNDS; i++) {
    const now = next;
    await Promise.all(now.map((conversion) => conversion.ready()));
    const moments = now.map(() => Math.random() * latest);
    for (const conversion of now) conversion.go();
    await Promise.all(now.map((conversion, n) => conversion.killAfter(moments[n])));
    next = i + 1 < ROUNDS ? start(i + 1) : [];
    const where = `killed after ${moments.map((moment) => moment.toFixed(1)).join(" and ")} ms`;
    const { store } = place;
    const bundles = store.bundles();
    latest *= bundles.length > 0 ? 0.8 : 1.1;
    finished += bundles.length;
    assert.deepEqual(faultsIn(store), [], where);
    // What is there is whole.
    for (const bundle of bundles) {
      const { ".": _, ...found } = tree(`${bundle.record.path}/rootfs`);
      assert.deepEqual(found, whole, where);
      store.remove(bundle, true);
    }
    place.isClean();
    assert.deepEqual(await expected(), whole, where);
    place.isClean();
  }
  assert.ok(finished < ROUNDS, `${finished} conversions were over before they were killed`);
});
