import type { Host } from "./host.js";

/**
 * How it stands with a thing: it is there; it works in part; it is not there; the caller may not know; or nobody asks
 * for it here, as with an engine that is not installed.
 */
export type State = "ok" | "partly" | "missing" | "unknown" | "unused";

/** What a look has shown: `found` is a phrase, `advice` what to do instead of what the check says. */
export interface Finding {
  readonly state: State;
  readonly found: string;
  readonly advice?: string;
}

/** A thing that containers may need of the host. */
export interface Check {
  readonly name: string;
  /** What it is for: a phrase. */
  readonly means: string;
  /** What to do where it is missing: an imperative. */
  readonly advice: string;
  /** Whether no usual container runs without it. */
  readonly required?: boolean;
  readonly look: (host: Host) => Finding;
}

export const ok = (found: string): Finding => ({ state: "ok", found });
export const missing = (found: string): Finding => ({ state: "missing", found });
export const partly = (found: string): Finding => ({ state: "partly", found });
export const unknown = (found: string): Finding => ({ state: "unknown", found });
