import { ffi } from "../../ffi/driver.js";
import { fieldsOf, typesOf, type Value, type Variant } from "./value.js";

/** The words that give a value its type. */
const KEYWORDS: Record<string, string> = {
  boolean: "b",
  byte: "y",
  int16: "n",
  uint16: "q",
  int32: "i",
  uint32: "u",
  int64: "x",
  uint64: "t",
  double: "d",
  string: "s",
  objectpath: "o",
  signature: "g",
};

/** The bits of integers; negative ones are those of signed ones. */
const BITS: Record<string, number> = { y: 8, n: -16, q: 16, i: -32, u: 32, x: -64, t: 64 };

const ESCAPES: Record<string, string> = { a: "\x07", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t", v: "\v" };

/**
 * Reads a value in GVariant's text format: `uint64 5`, `'text'`, `true`, `['a', 'b']`, `@a(st) [('/dev/sda', 5)]`,
 * b'bytes'. A number without a type is an int32, or a double. Dictionaries and variants in variants are not read.
 *
 * @throws RangeError that tells what is wrong
 */
export function parseVariant(text: string): Variant {
  const parser = new Parser(text);
  const variant = parser.value();
  parser.end();
  return variant;
}

class Parser {
  /** What is left to read. */
  #rest: string;

  constructor(text: string) {
    this.#rest = text.trimStart();
  }

  end(): void {
    if (this.#rest !== "") throw this.#unexpected("the end");
  }

  /** A value, of the wanted type if there is one. */
  value(wanted?: string): Variant {
    const word = this.#take(/^(?:true|false)\b/);
    if (word !== undefined) return scalar(word, "b", word === "true", wanted);
    const typed = this.#take(/^@([a-z(){}]+)/) ?? this.#take(/^([a-z][a-z0-9]*)(?=\s)/);
    if (typed !== undefined) {
      const type = typed.startsWith("@") ? typed.slice(1) : KEYWORDS[typed];
      if (type === undefined) throw new RangeError(`${JSON.stringify(typed)} is not the name of a type`);
      if (typesOf(type).length !== 1) throw new RangeError(`${JSON.stringify(type)} is not one type`);
      if (wanted !== undefined && wanted !== type) throw mismatch(typed, wanted);
      return this.value(type);
    }
    if (this.#takes("[")) return this.#array(wanted);
    if (this.#takes("(")) return this.#struct(wanted);
    const bytes = this.#take(/^b(?=['"])/);
    const quoted = this.#take(/^(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")/s);
    if (quoted !== undefined) {
      const content = unescaped(quoted.slice(1, -1));
      if (bytes !== undefined) return scalar(quoted, "ay", [...ffi.encode(content), 0], wanted);
      return scalar(quoted, wanted === "o" || wanted === "g" ? wanted : "s", content, wanted);
    }
    const number = this.#take(/^[-+]?[\w.]+(?:(?<=[eE])[-+]\d+)?/);
    if (number === undefined) throw this.#unexpected("a value");
    return numeric(number, wanted);
  }

  #array(wanted: string | undefined): Variant {
    if (wanted !== undefined && wanted[0] !== "a") throw mismatch("[", wanted);
    let item = wanted?.slice(1);
    const items: Value[] = [];
    this.#list("]", () => {
      const { signature, value } = this.value(item);
      item ??= signature;
      items.push(value);
    });
    if (item === undefined) throw new RangeError('[] needs a type before it: "@as []"');
    return { signature: `a${item}`, value: items };
  }

  #struct(wanted: string | undefined): Variant {
    if (wanted !== undefined && wanted[0] !== "(") throw mismatch("(", wanted);
    const types = wanted === undefined ? undefined : fieldsOf(wanted);
    const fields: Variant[] = [];
    this.#list(")", () => fields.push(this.value(types?.[fields.length])));
    if (types !== undefined && types.length !== fields.length) throw mismatch("(…)", wanted as string);
    return { signature: `(${fields.map(({ signature }) => signature).join("")})`, value: fields.map((f) => f.value) };
  }

  /** Reads items with commas between them, up to the closing bracket. */
  #list(closing: string, item: () => void): void {
    while (!this.#takes(closing)) {
      item();
      if (this.#takes(closing)) return;
      if (!this.#takes(",")) throw this.#unexpected(`"," or "${closing}"`);
    }
  }

  #takes(character: string): boolean {
    if (!this.#rest.startsWith(character)) return false;
    this.#rest = this.#rest.slice(1).trimStart();
    return true;
  }

  #take(pattern: RegExp): string | undefined {
    const found = pattern.exec(this.#rest)?.[0];
    if (found !== undefined) this.#rest = this.#rest.slice(found.length).trimStart();
    return found;
  }

  #unexpected(expected: string): RangeError {
    const found = this.#rest === "" ? "the end" : JSON.stringify(this.#rest.slice(0, 20));
    return new RangeError(`unexpected ${found}, expected ${expected}`);
  }
}

const mismatch = (text: string, wanted: string): RangeError =>
  new RangeError(`${JSON.stringify(text)} is not of type ${JSON.stringify(wanted)}`);

function scalar(text: string, signature: string, value: Value, wanted = signature): Variant {
  if (wanted !== signature) throw mismatch(text, wanted);
  return { signature, value };
}

function numeric(text: string, wanted?: string): Variant {
  const isInteger = /^[-+]?(?:0[xX][0-9a-fA-F]+|0|[1-9]\d*)$/.test(text);
  const signature = wanted ?? (isInteger ? "i" : "d");
  if (signature === "d") {
    if (!isInteger && !/^[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?$/.test(text)) throw mismatch(text, "d");
    return { signature, value: Number(text) };
  }
  const bits = BITS[signature];
  if (!isInteger || bits === undefined) throw mismatch(text, signature);
  const magnitude = BigInt(text.replace(/^[-+]/, ""));
  const integer = text.startsWith("-") ? -magnitude : magnitude;
  const fits = bits < 0 ? BigInt.asIntN(-bits, integer) === integer : BigInt.asUintN(bits, integer) === integer;
  if (!fits) throw new RangeError(`${text} is too large for type ${JSON.stringify(signature)}`);
  return { signature, value: Math.abs(bits) === 64 ? integer : Number(integer) };
}

const unescaped = (text: string): string =>
  text.replace(/\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))/gs, (_, four, eight, one) =>
    one === undefined ? String.fromCodePoint(Number.parseInt(four ?? eight, 16)) : (ESCAPES[one] ?? one),
  );
