/** The version of fdrunc, as package.json has it. */
export const NUMBER = "0.1.0";
