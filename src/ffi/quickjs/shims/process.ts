/** As much of Node's process as commander uses when the program hands it arguments, output and an exit of its own. */
export const env: Record<string, string | undefined> = {};
export const stdout = { isTTY: false };
export const stderr = { isTTY: false };
