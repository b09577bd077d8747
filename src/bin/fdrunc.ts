#!/usr/bin/env node
import { main } from "../commands/main.js";

main();
