/** A mistake in JSON text; the message begins with its place, "line 3, column 7: unexpected end of input". */
export class JsonError extends Error {
  override readonly name = "JsonError";
}

/**
 * Parses JSON (RFC 8259) as JSON.parse does, but integers that a number cannot hold exactly become bigint, and errors
 * say where they are. It is slow beside JSON.parse. Throws JsonError.
 */
export function parseJson(text: string): unknown {
  return new Parser(text).document();
}

/** Writes JSON as JSON.stringify does, bigints as the integers that they are. */
export function formatJson(value: unknown): string {
  if (typeof value === "bigint") return String(value);
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(formatJson).join()}]`;
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${formatJson(member)}`).join()}}`;
}

/** Deeper nesting than this is refused, so that the stack suffices. */
const MAX_DEPTH = 256;

const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
/** A string as far as it is right: all but quotes, backslashes and control characters, and escapes. */
const STRING = /"([ !#-[\]-\u{10ffff}]|\\(["\\/bfnrt]|u[0-9a-fA-F]{4}))*/uy;

class Parser {
  private at = 0;
  private depth = 0;

  constructor(private readonly text: string) {}

  document(): unknown {
    if (this.text === "") this.fail("unexpected end of input, the text is empty");
    if (this.text.startsWith("\ufeff")) this.fail("unexpected byte order mark");
    const value = this.value();
    if (this.at < this.text.length) this.unexpected("the end of input");
    return value;
  }

  /** A value and the white space around it. */
  private value(): unknown {
    this.space();
    const value = this.bareValue();
    this.space();
    return value;
  }

  private bareValue(): unknown {
    switch (this.text[this.at]) {
      case "{":
        return this.nested(() => this.object());
      case "[":
        return this.nested(() => this.array());
      case '"':
        return this.string();
      case "t":
        return this.word("true", true);
      case "f":
        return this.word("false", false);
      case "n":
        return this.word("null", null);
      default:
        return this.number();
    }
  }

  private nested<T>(parse: () => T): T {
    if (++this.depth > MAX_DEPTH) this.fail(`nested more than ${MAX_DEPTH} levels deep`);
    this.at++;
    const value = parse();
    this.depth--;
    return value;
  }

  private object(): object {
    const object: Record<string, unknown> = {};
    this.space();
    if (this.skip("}")) return object;
    do {
      this.space();
      if (this.text[this.at] !== '"') this.unexpected("a property name in double quotes");
      const key = this.string();
      this.space();
      if (!this.skip(":")) this.unexpected('":"');
      const value = this.value();
      if (key !== "__proto__") object[key] = value;
      else Object.defineProperty(object, key, { value, configurable: true, enumerable: true, writable: true });
    } while (this.skip(","));
    if (!this.skip("}")) this.unexpected('"," or "}"');
    return object;
  }

  private array(): unknown[] {
    const array: unknown[] = [];
    this.space();
    if (this.skip("]")) return array;
    do array.push(this.value());
    while (this.skip(","));
    if (!this.skip("]")) this.unexpected('"," or "]"');
    return array;
  }

  private string(): string {
    const start = this.at;
    let end = start;
    do end = this.text.indexOf('"', end + 1);
    while (end > 0 && this.isEscaped(end));
    try {
      const string = JSON.parse(this.text.slice(start, end + 1));
      this.at = end + 1;
      return string;
    } catch {
      this.take(STRING);
      this.unexpected(this.text[this.at] === "\\" ? "an escape sequence of JSON" : "the end of the string");
    }
  }

  /** Whether an odd number of backslashes stands before this place. */
  private isEscaped(at: number): boolean {
    let first = at;
    while (this.text[first - 1] === "\\") first--;
    return (at - first) % 2 === 1;
  }

  private number(): number | bigint {
    const digits = this.take(NUMBER) ?? this.unexpected("a value");
    const value = Number(digits);
    if (Number.isSafeInteger(value) || !/^-?[0-9]+$/.test(digits)) return value;
    return BigInt(digits);
  }

  private word<T>(word: string, value: T): T {
    for (const letter of word) if (!this.skip(letter)) this.unexpected(`"${word}"`);
    return value;
  }

  private space(): void {
    while (this.text.charCodeAt(this.at) <= 0x20 && " \n\t\r".includes(this.text[this.at] as string)) this.at++;
  }

  /** Moves on by what the sticky pattern matches here. */
  private take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.at;
    const match = pattern.exec(this.text)?.[0];
    if (match !== undefined) this.at += match.length;
    return match;
  }

  private skip(character: string): boolean {
    if (this.text[this.at] !== character) return false;
    this.at++;
    return true;
  }

  private unexpected(wanted: string): never {
    const code = this.text.codePointAt(this.at);
    const found = code === undefined ? "end of input" : JSON.stringify(String.fromCodePoint(code));
    this.fail(`unexpected ${found}, expected ${wanted}`);
  }

  private fail(problem: string): never {
    const before = this.text.slice(0, this.at).split("\n");
    const column = [...(before.at(-1) as string)].length + 1;
    throw new JsonError(`line ${before.length}, column ${column}: ${problem}`);
  }
}
