/**
 * An error for the person who called: one line that says what failed on which object, then the cause. Lower case, no
 * final period, objects in double quotes.
 */
export class Failure extends Error {
  override readonly name: string = "Failure";

  /**
   * @param what what failed, "mount \"proc\" on \"/proc\""; the cause's message is appended after ": "
   * @param options `cause`: the error or text that explains it; `hint`: what to do about it, appended in parentheses;
   *   `status`: the process's exit status, 1 unless told
   */
  constructor(
    what: string,
    readonly options: { cause?: unknown; hint?: string; status?: number } = {},
  ) {
    const { cause, hint } = options;
    const because = cause === undefined ? "" : `: ${cause instanceof Error ? cause.message : String(cause)}`;
    super(`${what}${because}${hint === undefined ? "" : ` (${hint})`}`, { cause });
  }

  get status(): number {
    return this.options.status ?? 1;
  }
}
