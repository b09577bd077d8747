/** The driver in use. The QuickJS build puts `quickjs/driver.ts` in this file's place. */
export { ffi, start } from "./node.js";
