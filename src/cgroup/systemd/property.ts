import type { Value } from "../../linux/dbus/value.js";

/** A property of a unit (org.freedesktop.systemd1(5)). */
export interface Property {
  readonly name: string;
  readonly signature: string;
  readonly value: Value;
  /** The JSON path of what asks for it. */
  readonly from?: string;
  /** The first version of systemd that knows it, where that is not true of all that are of interest. */
  readonly since?: number;
}

export const property = (name: string, signature: string, value: Value): Property => ({ name, signature, value });
