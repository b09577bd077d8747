import { spawnSync } from "node:child_process";
import { chownSync, existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { rootless } from "../../src/config/rootless.js";
import { asRoot, FDRUNC, type FullConfig, type Result, type Scene, SYSTEMD } from "./harness.js";

/** Users that the machine need not know; ids of one's own are given to the first. */
export const USER = 31_000;
export const OTHER = 31_001;
export const IDS = { first: 3_100_000, count: 65_536 };

export const as = (uid: number): string[] => ["setpriv", `--reuid=${uid}`, `--regid=${uid}`, "--clear-groups"];

/** Whether ordinary users can execute what is tested. */
export const isForAll = spawnSync("setpriv", [...as(USER).slice(1), ...FDRUNC, "--version"]).status === 0;

/** What those users lack, if anything. */
export const LACKING: string | undefined = !isForAll
  ? "needs an fdrunc that everybody can execute"
  : SYSTEMD
    ? `needs a systemd of user ${USER}`
    : undefined;

/** A bundle of an ordinary user, and fdrunc as that user calls it. */
export class Bundle {
  constructor(
    readonly s: Scene,
    private readonly under: readonly string[] = as(USER),
    readonly uid = USER,
  ) {
    mkdirSync(s.state);
    for (const path of [s.bundle, s.rootfs, s.state]) chownSync(path, uid, uid);
    for (const name of readdirSync(s.rootfs)) chownSync(join(s.rootfs, name), uid, uid);
    this.write();
  }

  write(change: (config: FullConfig) => void = () => {}): FullConfig {
    return this.s.write((config) => {
      delete config.linux.cgroupsPath;
      Object.assign(config, rootless(config, this.uid, this.uid));
      change(config);
    });
  }

  fdrunc(args: readonly string[], stdio: (number | "ignore" | "pipe")[] = []): Result {
    return this.s.fdrunc(args, { under: [...this.under], stdio });
  }

  run(...flags: string[]): Result {
    return this.fdrunc(["run", ...flags, "c"]);
  }

  sh(script: string, change: (config: FullConfig) => void = () => {}): string {
    this.write((config) => {
      config.process.args = ["sh", "-c", script];
      change(config);
    });
    return this.run().succeeds();
  }
}

/** A test with a bundle of an ordinary user. */
export function ordinary(name: string, run: (b: Bundle, t: TestContext) => void | Promise<void>): void {
  asRoot(`an ordinary user: ${name}`, (s, t) => {
    if (LACKING) return t.skip(LACKING);
    return run(new Bundle(s), t);
  });
}

/** Gives the user ids of its own, as an administrator would. Returns false, and skips, where that is not possible. */
export function giveIds({ s }: Bundle, t: TestContext): boolean {
  const files = ["/etc/subuid", "/etc/subgid", "/etc/passwd"];
  if (!files.every(existsSync) || spawnSync("sh", ["-c", "command -v newuidmap newgidmap"]).status !== 0) {
    t.skip("needs newuidmap and newgidmap, of Debian's uidmap");
    return false;
  }
  for (const file of files.slice(0, 2)) s.replaceFile(file, `tester:${IDS.first}:${IDS.count}\n`);
  s.replaceFile("/etc/passwd", `${readFileSync("/etc/passwd")}tester:x:${USER}:${USER}::/:/bin/sh\n`);
  return true;
}

/** Maps the user and all ids that were given to it. */
export function mapRange({ linux }: FullConfig): void {
  const range = { containerID: 1, hostID: IDS.first, size: IDS.count };
  linux.uidMappings = [...(linux.uidMappings ?? []), range];
  linux.gidMappings = [...(linux.gidMappings ?? []), range];
}
