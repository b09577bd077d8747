/** As much of Node's process as commander uses when the program hands it arguments, output and an exit of its own. */
export const env: Record<string, string | undefined> = {};
export const stdout = { isTTY: false };
export const stderr = { isTTY: false };

// A habit of V8's that commander's errors rely on. QuickJS notes the stack when the error is made.
Object.assign(Error, { captureStackTrace: () => undefined });

// V8's own; commander calls it for its errors.
Error.captureStackTrace ??= () => {};
