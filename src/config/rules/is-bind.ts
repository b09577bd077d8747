import type { Mount } from "../../generated/config.js";

/** Whether a mount shows an existing tree elsewhere. */
export const isBind = ({ type, options = [] }: Mount): boolean =>
  type === "bind" || options.includes("bind") || options.includes("rbind");
