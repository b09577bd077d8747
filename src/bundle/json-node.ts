import { Failure } from "../linux/failure.js";

/** A place in a JSON document, for reading what should be there. Its methods throw Failure, by the place's JSON path. */
export class JsonNode {
  /** @param path the JSON path, "$.layers[0]" */
  constructor(
    readonly value: unknown,
    readonly path: string = "$",
  ) {}

  /** Whether something is here; null counts as nothing, as Go's programs write it. */
  get isThere(): boolean {
    return this.value !== undefined && this.value !== null;
  }

  /** A member of an object. */
  member(name: string): JsonNode {
    return new JsonNode(this.object()[name], `${this.path}.${name}`);
  }

  /** An array's items; none where nothing is here. */
  items(): JsonNode[] {
    if (!this.isThere) return [];
    if (!Array.isArray(this.value)) throw this.wrong("an array");
    return this.value.map((item, i) => new JsonNode(item, `${this.path}[${i}]`));
  }

  /** An object's members by name; none where nothing is here. */
  members(): [name: string, value: JsonNode][] {
    if (!this.isThere) return [];
    return Object.keys(this.object()).map((name) => [name, this.member(name)]);
  }

  text(): string {
    if (typeof this.value !== "string" || this.value.includes("\0")) throw this.wrong("a string");
    return this.value;
  }

  /** Text, or "" where nothing is here. */
  textOrNone(): string {
    return this.isThere ? this.text() : "";
  }

  /** A number of bytes. */
  size(): number {
    if (!Number.isSafeInteger(this.value) || (this.value as number) < 0) throw this.wrong("a size in bytes");
    return this.value as number;
  }

  /** What to throw where something else is here. */
  wrong(expected: string): Failure {
    return new Failure(this.path, { cause: this.isThere ? `not ${expected}` : `missing: ${expected}` });
  }

  private object(): Record<string, unknown> {
    if (typeof this.value !== "object" || this.value === null || Array.isArray(this.value))
      throw this.wrong("an object");
    return this.value as Record<string, unknown>;
  }
}
