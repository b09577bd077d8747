/** What many samples of one thing come to. */
export interface Summary {
  readonly median: number;
  /** The interval that holds the true median with 95 % confidence, whatever the distribution. */
  readonly low: number;
  readonly high: number;
  readonly min: number;
  readonly max: number;
  readonly count: number;
}

/** Summarizes samples, at least one. */
export function summarize(samples: readonly number[]): Summary {
  const sorted = [...samples].sort((a, b) => a - b);
  const count = sorted.length;
  const middle = (count - 1) / 2;
  // How many samples lie below the true median is binomial: 1.96 standard deviations of that, which are half a root.
  const reach = 0.98 * Math.sqrt(count);
  return {
    median: (sorted[Math.floor(middle)] + sorted[Math.ceil(middle)]) / 2,
    low: sorted[Math.max(0, Math.floor(middle - reach))],
    high: sorted[Math.min(count - 1, Math.ceil(middle + reach))],
    min: sorted[0],
    max: sorted[count - 1],
    count,
  };
}

/**
 * The smallest whole number that works, found from above: `from` must work, else undefined; 0 counts as not working.
 * What works is taken to work for all that is larger.
 */
export function smallest(from: number, works: (candidate: number) => boolean): number | undefined {
  if (!works(from)) return undefined;
  let [bad, good] = [0, from];
  while (good - bad > 1) {
    const middle = Math.floor((bad + good) / 2);
    if (works(middle)) good = middle;
    else bad = middle;
  }
  return good;
}
