/** Makes a kernel's BTF (Documentation/bpf/btf.rst): structs among types of all other kinds. */
import type { Random } from "../../base/numbers/random.js";

export interface BtfStruct {
  readonly name: string;
  /** Name and offset in bytes, in order. */
  readonly members: readonly (readonly [string, number])[];
  /** With bit fields: a member's offset is then 24 bits, and the upper eight are its width. */
  readonly flagged?: boolean;
}

export interface BtfFunction {
  readonly name: string;
  /** The struct that its first argument points to. */
  readonly takes: string;
}

const [POINTER, STRUCT, FUNCTION, PROTOTYPE] = [2, 4, 12, 13] as const;
/** Words behind the three of a type: fixed, and per element (include/uapi/linux/btf.h). */
const BEHIND: readonly (readonly [kind: number, fixed: number, each: number])[] = [
  [1, 1, 0],
  [2, 0, 0],
  [3, 3, 0],
  [5, 0, 3],
  [6, 0, 2],
  [7, 0, 0],
  [8, 0, 0],
  [12, 0, 0],
  [13, 0, 2],
  [14, 1, 0],
  [15, 0, 3],
  [16, 0, 0],
  [17, 1, 0],
  [18, 0, 0],
  [19, 0, 3],
];

/** `structs` and `functions` in order, each among up to three types of random kinds whose names are as random. */
export function makeBtf(structs: readonly BtfStruct[], random: Random, functions: readonly BtfFunction[] = []): Buffer {
  const strings: string[] = [""];
  let stringBytes = 1;
  const places = new Map<string, number>([["", 0]]);
  const placeOf = (text: string): number => {
    const known = places.get(text);
    if (known !== undefined) return known;
    places.set(text, stringBytes);
    strings.push(text);
    stringBytes += text.length + 1;
    return places.get(text) as number;
  };
  const words: number[] = [];
  const anyWord = (): number => random.below(2 ** 32);
  let types = 0;
  const head = (name: string, info: number, word: number): number => {
    words.push(placeOf(name), info, word);
    types += 1;
    return types;
  };
  const idOf = new Map<string, number>();
  const other = (): void => {
    const [kind, fixed, each] = BEHIND[random.below(BEHIND.length)] as (typeof BEHIND)[number];
    const elements = each === 0 ? 0 : random.below(6);
    head(`other_${random.below(20)}`, kind * 2 ** 24 + elements, anyWord());
    for (let i = 0; i < fixed + each * elements; i++) words.push(anyWord());
  };
  for (const { name, members, flagged } of structs) {
    for (let i = random.below(4); i > 0; i--) other();
    const flag = flagged === true ? 2 ** 31 : 0;
    idOf.set(name, head(name, flag + STRUCT * 2 ** 24 + members.length, 4_096));
    for (const [member, offset] of members) {
      const width = flagged === true ? random.below(64) * 2 ** 24 : 0;
      words.push(placeOf(member), anyWord(), width + offset * 8);
    }
  }
  for (const { name, takes } of functions) {
    for (let i = random.below(4); i > 0; i--) other();
    const pointer = head("", POINTER * 2 ** 24, idOf.get(takes) ?? 0);
    const more = random.below(3);
    const prototype = head("", PROTOTYPE * 2 ** 24 + 1 + more, anyWord());
    words.push(placeOf("args"), pointer);
    for (let i = 0; i < more; i++) words.push(placeOf("more"), anyWord());
    head(name, FUNCTION * 2 ** 24 + 1, prototype);
  }
  other();
  const header = Buffer.alloc(24);
  const bytes = [24, 0, words.length * 4, words.length * 4, stringBytes];
  header.writeUInt32LE(0x0001eb9f);
  bytes.forEach((value, i) => {
    header.writeUInt32LE(value, 4 + i * 4);
  });
  const section = Buffer.alloc(words.length * 4);
  words.forEach((word, i) => {
    section.writeUInt32LE(word, i * 4);
  });
  return Buffer.concat([header, section, Buffer.from(`${strings.join("\0")}\0`, "latin1")]);
}
