import { Failure } from "../../linux/failure.js";
import { quote } from "../../linux/file.js";

/** What is wrong with a flag's value. */
export const wrong = (flag: string, text: string, cause: unknown): Failure =>
  new Failure(`--${flag}: ${quote(text)}`, { cause });
