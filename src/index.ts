/** fdrunc as a library, on Node: the lifecycle of containers, and their compiler. All of it is synchronous. */
export { loadConfig } from "./config/load.js";
export { type Created, create } from "./container/create.js";
export { remove } from "./container/destroy.js";
export { kill } from "./container/kill.js";
export type { CreateOptions, GlobalOptions } from "./container/options.js";
export { type Plan, plan } from "./container/plan.js";
export { type RunOptions, run } from "./container/run.js";
export { start } from "./container/start.js";
export { type FullState, fullState } from "./container/state.js";
export { StateDirectory } from "./container/state-directory.js";
export type { Config } from "./generated/config.js";
export { Failure } from "./linux/failure.js";
export type { Program, Step } from "./machine/program.js";
export { listing, records } from "./machine/text.js";
