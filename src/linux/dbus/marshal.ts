import { ffi } from "../../ffi/driver.js";
import { viewOf } from "../bytes.js";
import { alignmentOf, FIXED, fieldsOf, typesOf, type Value, type Variant } from "./value.js";

/** Values as bytes, little-endian (D-Bus Specification, "Marshaling"). Throws RangeError where the signature is none. */
export function marshal(signature: string, values: readonly Value[]): Uint8Array {
  const writer = new Writer();
  typesOf(signature).forEach((type, i) => {
    writer.write(type, values[i]);
  });
  return writer.written();
}

class Writer {
  #bytes = new Uint8Array(1024);
  #view = viewOf(this.#bytes);
  #length = 0;

  written(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  write(type: string, value: Value): void {
    this.#align(alignmentOf(type));
    const code = type[0];
    const fixed = FIXED[code];
    if (fixed !== undefined) {
      const at = this.#take(fixed.size);
      fixed.set(this.#view, at, value);
    } else if (code === "s" || code === "o") this.#text("u", value as string);
    else if (code === "g") this.#text("y", value as string);
    else if (code === "v") this.#variant(value as Variant);
    else if (code === "a") this.#array(type.slice(1), value as readonly Value[]);
    else {
      fieldsOf(type).forEach((field, i) => {
        this.write(field, (value as readonly Value[])[i]);
      });
    }
  }

  /** A length of the given type, the text, a NUL. */
  #text(lengthType: string, text: string): void {
    const bytes = ffi.encode(text);
    this.write(lengthType, bytes.length);
    const at = this.#take(bytes.length + 1);
    this.#bytes.set(bytes, at);
  }

  #variant({ signature, value }: Variant): void {
    this.write("g", signature);
    this.write(signature, value);
  }

  /** The length in bytes, which does not count what aligns the first item; the items. */
  #array(type: string, items: readonly Value[]): void {
    const length = this.#take(4);
    this.#align(alignmentOf(type));
    const start = this.#length;
    for (const item of items) this.write(type, item);
    this.#view.setUint32(length, this.#length - start, true);
  }

  #align(boundary: number): void {
    this.#take(-this.#length & (boundary - 1));
  }

  /** Room for so many bytes, all zero. Returns where it starts. */
  #take(size: number): number {
    const at = this.#length;
    this.#length += size;
    if (this.#length > this.#bytes.length) {
      const larger = new Uint8Array(this.#length * 2);
      larger.set(this.#bytes);
      this.#bytes = larger;
      this.#view = viewOf(larger);
    }
    return at;
  }
}
