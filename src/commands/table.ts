import type { Command } from "commander";
import { defineCreate } from "./create.js";
import { defineDelete } from "./delete.js";
import { defineFeatures } from "./features.js";
import { defineKill } from "./kill.js";
import { defineList } from "./list.js";
import { definePlan } from "./plan.js";
import { defineRun } from "./run.js";
import { defineSpec } from "./spec.js";
import { defineStart } from "./start.js";
import { defineState } from "./state.js";

/** The commands by name: what defines each of them in commander's program. */
export const COMMANDS: Readonly<Record<string, (program: Command) => void>> = {
  create: defineCreate,
  delete: defineDelete,
  features: defineFeatures,
  kill: defineKill,
  list: defineList,
  plan: definePlan,
  run: defineRun,
  spec: defineSpec,
  start: defineStart,
  state: defineState,
};
