import type { FullConfig, Scene } from "./harness.js";

/** Starts the container that processes are added to. */
export function running(s: Scene, change: (config: FullConfig) => void = () => {}): void {
  s.write((config) => {
    config.process.args = ["sleep", "1000"];
    change(config);
  });
  s.run("c", "--detach").succeeds();
}

/** What a shell script puts out that is added to the container; it must succeed. */
export const added = (s: Scene, script: string, ...flags: string[]): string =>
  s.fdrunc(["exec", ...flags, "c", "sh", "-c", script]).succeeds();
