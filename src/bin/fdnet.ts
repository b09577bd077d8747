#!/usr/bin/env node
import { main } from "../commands/fdnet/main.js";
import { start } from "../ffi/driver.js";

start(main);
