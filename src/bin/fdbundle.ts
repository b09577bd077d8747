#!/usr/bin/env node
import { main } from "../commands/fdbundle/main.js";

await main();
