/*
 * In the guest: runs the test files that are its arguments, and writes each result as a line of JSON to standard output.
 */
import { writeSync } from "node:fs";
import { runTestFiles } from "../test-files.mjs";

/** Less than a stage has in brief: so a file that does not end is told by its name. */
const FILE_TIMEOUT = 10 * 60 * 1000;

await runTestFiles(process.argv.slice(2), (result) => writeSync(1, `${JSON.stringify(result)}\n`), FILE_TIMEOUT);
