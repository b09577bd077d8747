/** Does `count` things numbered from 0, so many of them at once. The first failure is thrown when all under way have ended. */
export async function atOnce(width: number, count: number, run: (i: number) => Promise<void>): Promise<void> {
  let next = 0;
  let failure: { error: unknown } | undefined;
  const work = async () => {
    while (next < count && failure === undefined) {
      try {
        await run(next++);
      } catch (error) {
        failure ??= { error };
      }
    }
  };
  await Promise.all(Array.from({ length: width }, work));
  if (failure !== undefined) throw failure.error;
}
