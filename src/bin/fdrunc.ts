#!/usr/bin/env node
import { main } from "../commands/main.js";
import { start } from "../ffi/driver.js";
import { prepareUsualContainers } from "../init/usual-containers.js";
import { prepareUsualPrograms } from "../launch/usual-programs.js";

start(main, () => {
  prepareUsualContainers();
  prepareUsualPrograms();
});
