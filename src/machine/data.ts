import { ffi } from "../ffi/driver.js";
import type { Arch } from "../ffi/ffi.js";
import { viewOf } from "../linux/bytes.js";
import { type ConstantName, constants } from "../linux/constants.js";
import type { Memory } from "./assembler.js";
import type { Field, Part, Value } from "./program.js";

/** What the constants' names, joined, come to; by architecture. Kept from program to program: there are not many. */
const KNOWN_BITS: Record<Arch, Map<string, number>> = { x86_64: new Map(), aarch64: new Map() };

/** The kernel's constants joined. Those beyond 32 bits share none below with others. */
function joinedBits(flags: string, numbers: Record<ConstantName, number>): number {
  let [low, high] = [0, 0];
  for (const name of flags.split("|")) {
    const number = numbers[name as ConstantName];
    if (number === undefined) throw new TypeError(`no kernel constant is named ${JSON.stringify(name)}`);
    low |= number;
    high |= Math.floor(number / 0x100000000);
  }
  // A negative constant, AT_FDCWD, stands alone.
  return flags.includes("|") ? (low >>> 0) + high * 0x100000000 : numbers[flags as ConstantName];
}

/** The addresses that memory goes to. */
export interface Room {
  readonly zeroed: number;
  readonly data: number;
}

/**
 * The memory of a program as it is laid out: strings, structs and slots, each at its address. It may go on from one that
 * is laid out already, whose addresses stay as they are.
 */
export class Data implements Memory {
  loaded = false;
  /** Bytes of zeroed memory so far. */
  zeroed: number;
  private bytes: Uint8Array;
  private view: DataView;
  private length: number;
  private readonly names = new Map<string, number>();
  private readonly texts = new Map<string, number>();
  /** What is laid out already, by identity: values that stand in several places. */
  private readonly placed = new Map<Value, number>();
  private readonly numbers: Record<ConstantName, number>;
  private readonly known: Map<string, number>;

  constructor(
    arch: Arch,
    private readonly room: Room,
    private readonly base?: Data,
  ) {
    this.numbers = constants(arch);
    this.known = KNOWN_BITS[arch];
    this.length = base?.length ?? 0;
    this.zeroed = base?.zeroed ?? 0;
    // A launcher's memory is small, and kept; a container's is larger than what it goes on from.
    this.bytes = new Uint8Array(this.length + (base === undefined ? 512 : 2048));
    if (base !== undefined) this.bytes.set(base.finish());
    this.view = viewOf(this.bytes);
  }

  /** Lays out a part's named memory, as far as it is not known yet; also its structs, or only what has no content. */
  declare(memory: Part["memory"], structs = true): void {
    for (const name in memory) {
      if (this.find(name) !== undefined) continue;
      const shape = memory[name];
      if (shape === 8) this.slot(name);
      else if (typeof shape === "number") this.names.set(name, this.zero(shape));
      else if (structs) this.struct(name, shape);
    }
  }

  /** Fills a slot, by name, with what it holds from the start. */
  preset(name: string, value: number): void {
    this.word((this.find(name) ?? this.slot(name)) - this.room.data, value);
  }

  operand(value: Exclude<Value, number | bigint>): number {
    if ("slot" in value) {
      this.loaded = true;
      const address = this.named(value.slot);
      return value.offset === undefined ? address : address + value.offset;
    }
    this.loaded = false;
    return "flags" in value ? this.bits(value) : this.address(value);
  }

  /** The address of named memory. */
  named(name: string): number {
    const address = this.find(name);
    if (address === undefined) throw new TypeError(`the program has no memory named ${JSON.stringify(name)}`);
    return address;
  }

  private find(name: string): number | undefined {
    return this.names.get(name) ?? this.base?.names.get(name);
  }

  private slot(name: string): number {
    const address = this.room.data + this.take(8);
    this.names.set(name, address);
    return address;
  }

  private struct(name: string, fields: readonly Field[]): void {
    const at = this.take(fields.length * 8);
    this.names.set(name, this.room.data + at);
    fields.forEach((field, i) => {
      if (typeof field === "object" && "place" in field) this.names.set(field.place, this.room.data + at + i * 8);
    });
    this.fill(at, fields);
  }

  /** Takes zeroed memory. Returns its address. */
  zero(size: number): number {
    const address = this.room.zeroed + this.zeroed;
    this.zeroed += (size + 7) & ~7;
    return address;
  }

  /** What constants by name come to. */
  bits({ flags, plus = 0 }: { readonly flags: string; readonly plus?: number }): number {
    let bits = this.known.get(flags);
    if (bits === undefined) {
      bits = joinedBits(flags, this.numbers);
      this.known.set(flags, bits);
    }
    return bits + plus;
  }

  /** The address of what an address value points to; lays it out if need be. */
  address(value: Value): number {
    if (typeof value !== "object") throw new TypeError("not an address");
    if ("text" in value) return this.text(value.text);
    if ("at" in value) return this.named(value.at);
    let address = this.placed.get(value) ?? this.base?.placed.get(value);
    if (address === undefined) {
      address = this.place(value);
      this.placed.set(value, address);
    }
    return address;
  }

  private place(value: Exclude<Value, number | bigint>): number {
    if ("struct" in value) {
      const at = this.take(value.struct.length * 8);
      this.fill(at, value.struct);
      return this.room.data + at;
    }
    if ("bytes" in value) {
      const at = this.take(value.bytes.length);
      this.bytes.set(value.bytes, at);
      return this.room.data + at;
    }
    if ("strings" in value) {
      const texts = value.strings.map((text) => this.text(text));
      const at = this.take((texts.length + 1) * 8);
      texts.forEach((address, i) => {
        this.word(at + i * 8, address);
      });
      return this.room.data + at;
    }
    throw new TypeError("not an address");
  }

  /** The content. @param inputs slots that hold something from the start, by name */
  finish(inputs: Readonly<Record<string, number>> = {}): Uint8Array {
    for (const name in inputs) this.preset(name, inputs[name]);
    return this.bytes.subarray(0, this.length);
  }

  private fill(at: number, fields: readonly Field[]): void {
    for (let i = 0; i < fields.length; i++) {
      const field = fields[i];
      const place = at + i * 8;
      if (typeof field !== "object") this.word(place, field);
      else if ("flags" in field) this.word(place, this.bits(field));
      else if ("slot" in field) throw new TypeError("a struct holds no slot's content");
      else if (!("place" in field)) this.word(place, this.address(field));
    }
  }

  private word(at: number, value: number | bigint): void {
    if (typeof value === "bigint") this.view.setBigInt64(at, value, true);
    else if (value !== 0) {
      this.view.setInt32(at, value, true);
      if (value < 0 || value > 0xffffffff) this.view.setInt32(at + 4, Math.floor(value / 0x100000000), true);
    }
  }

  private text(text: string): number {
    const known = this.texts.get(text) ?? this.base?.texts.get(text);
    if (known !== undefined) return known;
    const at = this.length;
    // A UTF-16 unit takes three bytes at most; behind the text stays a zero.
    this.take(3 * text.length + 1, 1);
    this.length = at + ffi.encodeInto(text, this.bytes, at) + 1;
    const address = this.room.data + at;
    this.texts.set(text, address);
    return address;
  }

  /** Takes memory with initial content. Returns its offset. */
  private take(size: number, alignment = 8): number {
    const at = (this.length + alignment - 1) & -alignment;
    this.length = at + size;
    if (this.length > this.bytes.length) {
      const larger = new Uint8Array(Math.max(this.bytes.length * 2, this.length));
      larger.set(this.bytes);
      this.bytes = larger;
      this.view = viewOf(larger);
    }
    return at;
  }
}
