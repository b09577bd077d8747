/* fdbundle that has loaded all its code, says so, and begins with its command when it is told to. */
import { readSync, writeSync } from "node:fs";
import { main } from "../../src/commands/fdbundle/main.js";

writeSync(1, "ready\n");
readSync(0, Buffer.alloc(1));
await main();
