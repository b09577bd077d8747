import type { Command } from "commander";
import { defineCheck } from "./check.js";
import { defineCheckpoint } from "./checkpoint.js";
import { defineCreate } from "./create.js";
import { defineDelete } from "./delete.js";
import { defineEvents } from "./events.js";
import { defineExec } from "./exec.js";
import { defineFeatures } from "./features.js";
import { defineKill } from "./kill.js";
import { defineList } from "./list.js";
import { definePause } from "./pause.js";
import { definePlan } from "./plan.js";
import { definePs } from "./ps.js";
import { defineRestore } from "./restore.js";
import { defineResume } from "./resume.js";
import { defineRun } from "./run.js";
import { defineSpec } from "./spec.js";
import { defineStart } from "./start.js";
import { defineState } from "./state.js";
import { defineUpdate } from "./update.js";

/** The commands: what defines each of them in commander's program, in the order of the help. */
export const COMMANDS: readonly ((program: Command) => void)[] = [
  defineCheck,
  defineCheckpoint,
  defineCreate,
  defineDelete,
  defineEvents,
  defineExec,
  defineFeatures,
  defineKill,
  defineList,
  definePause,
  definePlan,
  definePs,
  defineResume,
  defineRestore,
  defineRun,
  defineSpec,
  defineStart,
  defineState,
  defineUpdate,
];
