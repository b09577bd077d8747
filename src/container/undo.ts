/** What to do to take back a thing half done: the latest first. */
export class Undo {
  private readonly actions: (() => void)[] = [];

  add(action: () => void): void {
    this.actions.push(action);
  }

  /** Takes everything back, whatever fails on the way: what failed first is what the caller is told. */
  run(): void {
    for (let action = this.actions.pop(); action !== undefined; action = this.actions.pop()) {
      try {
        action();
      } catch {
        // The error that led here says more than one met while cleaning up.
      }
    }
  }
}
