import { Unavailable } from "./unavailable.mjs";

/**
 * Fetches and makes things that tests use; tests skip themselves without what cannot be had, which is told.
 *
 * @param {[what: string, provide: () => Promise<void>][]} things
 */
export async function provideAll(things) {
  for (const [what, provide] of things) {
    try {
      await provide();
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error;
      console.log(`no ${what}: ${error.message}`);
    }
  }
}
