/*
 * In the guest: runs the test files that are its arguments but the first, the seconds that each may take, and writes each
 * result as a line of JSON to standard output.
 */
import { writeSync } from "node:fs";
import { runTestFiles } from "../test-files.mjs";

const [seconds, ...files] = process.argv.slice(2);
await runTestFiles(files, (result) => writeSync(1, `${JSON.stringify(result)}\n`), Number(seconds) * 1000);
