import { ffi } from "../../ffi/driver.js";
import { viewOf } from "../bytes.js";
import { alignmentOf, FIXED, fieldsOf, typesOf, type Value, type Variant } from "./value.js";

/** The values that bytes stand for, little-endian. Throws RangeError where they do not fit the signature. */
export function unmarshal(signature: string, bytes: Uint8Array): Value[] {
  const reader = new Reader(bytes);
  return typesOf(signature).map((type) => reader.read(type));
}

class Reader {
  readonly #view: DataView;
  #at = 0;

  constructor(private readonly bytes: Uint8Array) {
    this.#view = viewOf(bytes);
  }

  read(type: string): Value {
    this.#align(alignmentOf(type));
    const code = type[0];
    const fixed = FIXED[code];
    if (fixed !== undefined) return fixed.get(this.#view, this.#take(fixed.size));
    if (code === "s" || code === "o") return this.#text(this.read("u") as number);
    if (code === "g") return this.#text(this.read("y") as number);
    if (code === "v") return this.#variant();
    if (code === "a") return this.#array(type.slice(1));
    return fieldsOf(type).map((field) => this.read(field));
  }

  #text(length: number): string {
    const start = this.#take(length + 1);
    return ffi.decode(this.bytes.subarray(start, start + length));
  }

  #variant(): Variant {
    const signature = this.read("g") as string;
    return { signature, value: this.read(signature) };
  }

  #array(type: string): Value[] {
    const length = this.read("u") as number;
    this.#align(alignmentOf(type));
    const end = this.#at + length;
    const items: Value[] = [];
    while (this.#at < end) items.push(this.read(type));
    return items;
  }

  #align(boundary: number): void {
    this.#at += -this.#at & (boundary - 1);
  }

  /** Passes so many bytes. Returns where they start. */
  #take(size: number): number {
    const at = this.#at;
    this.#at += size;
    if (this.#at > this.bytes.length) throw new RangeError("a D-Bus message is shorter than its contents");
    return at;
  }
}
