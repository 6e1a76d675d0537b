/**
 * A small assembler for WebAssembly, for loops whose speed decides how fast a file is read: there a value in memory needs
 * no bounds check and an array no register. Code is a list of bytes; an operator takes the code of its operands.
 * (WebAssembly Core Specification 1.0, chapter 5, Binary Format.)
 */
export type WasmCode = readonly number[];

const I32 = 0x7f;
const F64 = 0x7c;
const EMPTY = 0x40;

/** LEB128. */
function unsigned(value: number): number[] {
  const bytes: number[] = [];
  let left = value >>> 0;
  while (left > 0x7f) {
    bytes.push((left & 0x7f) | 0x80);
    left >>>= 7;
  }
  return [...bytes, left];
}

function signed(value: number): number[] {
  const bytes: number[] = [];
  let left = value | 0;
  while (left < -64 || left > 63) {
    bytes.push((left & 0x7f) | 0x80);
    left >>= 7;
  }
  return [...bytes, left & 0x7f];
}

const name = (text: string): number[] => [...unsigned(text.length), ...new TextEncoder().encode(text)];
const list = (parts: readonly WasmCode[]): number[] => [...unsigned(parts.length), ...parts.flat()];

type Operand = WasmCode | number;
const code = (value: Operand): WasmCode => (typeof value === "number" ? [0x41, ...signed(value)] : value);
const binary =
  (op: number) =>
  (a: Operand, b: Operand): WasmCode => [...code(a), ...code(b), op];
const unary =
  (op: number) =>
  (a: Operand): WasmCode => [...code(a), op];
/** `offset` is added to the address by the instruction itself. */
const load =
  (op: number, align: number) =>
  (address: Operand, offset = 0): WasmCode => [...code(address), op, align, ...unsigned(offset)];
const store =
  (op: number, align: number) =>
  (address: Operand, value: Operand, offset = 0): WasmCode => [
    ...code(address),
    ...code(value),
    op,
    align,
    ...unsigned(offset),
  ];

/** Operators; a plain number stands for an i32 constant. */
export const op = {
  load: load(0x28, 2),
  load8: load(0x2d, 0),
  load16: load(0x2f, 1),
  loadF64: load(0x2b, 3),
  store: store(0x36, 2),
  store8: store(0x3a, 0),
  store16: store(0x3b, 1),
  storeF64: store(0x39, 3),
  eqz: unary(0x45),
  eq: binary(0x46),
  ne: binary(0x47),
  ltU: binary(0x49),
  gtU: binary(0x4b),
  geU: binary(0x4f),
  eqF64: binary(0x61),
  ltF64: binary(0x63),
  gtF64: binary(0x64),
  add: binary(0x6a),
  sub: binary(0x6b),
  and: binary(0x71),
  or: binary(0x72),
  shl: binary(0x74),
  shrU: binary(0x76),
  addF64: binary(0xa0),
  subF64: binary(0xa1),
  toF64: unary(0xb8),
} as const;

export const f64 = (value: number): WasmCode => [0x44, ...new Uint8Array(new Float64Array([value]).buffer)];

/** Statements in a block; `leave(0)` within it leaves the innermost one. */
export const block = (...body: readonly WasmCode[]): WasmCode => [0x02, EMPTY, ...body.flat(), 0x0b];
/** As a block, but leaving it begins it anew; it ends where its body ends. */
export const loop = (...body: readonly WasmCode[]): WasmCode => [0x03, EMPTY, ...body.flat(), 0x0b];
export const when = (condition: Operand, ...body: readonly WasmCode[]): WasmCode => [
  ...code(condition),
  0x04,
  EMPTY,
  ...body.flat(),
  0x0b,
];
export const leave = (depth: number): WasmCode => [0x0c, ...unsigned(depth)];
export const leaveIf = (depth: number, condition: Operand): WasmCode => [...code(condition), 0x0d, ...unsigned(depth)];
/** Calls the function of that index: imported ones first, then the module's own, each in their order. */
export const call = (index: number, ...operands: readonly Operand[]): WasmCode => [
  ...operands.flatMap(code),
  0x10,
  ...unsigned(index),
];

export interface Local {
  readonly get: WasmCode;
  set(value: Operand): WasmCode;
}

/** A function of i32 parameters that returns an i32. */
export interface WasmFunction {
  readonly name: string;
  readonly code: WasmCode;
  readonly parameters: number;
}

/** `body` gets the parameters, and makes locals; its code leaves the result. */
export function wasmFunction(
  name: string,
  parameters: number,
  body: (parameters: readonly Local[], local: { i32(): Local; f64(): Local }) => readonly WasmCode[],
): WasmFunction {
  const types: number[] = [];
  const at = (index: number): Local => ({
    get: [0x20, ...unsigned(index)],
    set: (value) => [...code(value), 0x21, ...unsigned(index)],
  });
  const add = (type: number): Local => at(parameters + types.push(type) - 1);
  const statements = body(
    Array.from({ length: parameters }, (_, i) => at(i)),
    { i32: () => add(I32), f64: () => add(F64) },
  ).flat();
  const locals = list(types.map((type) => [1, type]));
  const whole = [...locals, ...statements, 0x0b];
  return { name, parameters, code: [...unsigned(whole.length), ...whole] };
}

/** The bytes of a module: memory and functions `env.NAME` (of one i32, returning one) imported, `functions` exported. */
export function wasmModule(imports: readonly string[], functions: readonly WasmFunction[]): Uint8Array<ArrayBuffer> {
  const section = (id: number, parts: readonly WasmCode[]): number[] => {
    const body = list(parts);
    return [id, ...unsigned(body.length), ...body];
  };
  const most = functions.reduce((all, { parameters }) => Math.max(all, parameters), 1);
  const types = Array.from({ length: most + 1 }, (_, count) => [0x60, ...list(Array(count).fill([I32])), 1, I32]);
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, types),
    ...section(2, [
      [...name("env"), ...name("memory"), 2, 0, 0],
      ...imports.map((each) => [...name("env"), ...name(each), 0, 1]),
    ]),
    ...section(
      3,
      functions.map(({ parameters }) => unsigned(parameters)),
    ),
    ...section(
      7,
      functions.map((each, i) => [...name(each.name), 0, ...unsigned(imports.length + i)]),
    ),
    ...section(
      10,
      functions.map((each) => each.code),
    ),
  ]);
}

/** Memory that JavaScript and WebAssembly share. */
export interface WasmMemory {
  readonly buffer: ArrayBuffer;
}

type Exports = Readonly<Record<string, (...parameters: readonly number[]) => number>>;

interface WebAssemblyApi {
  readonly Memory: new (pages: { readonly initial: number; readonly maximum: number }) => WasmMemory;
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports: unknown) => { readonly exports: Exports };
}

const WASM_PAGE = 65_536;

function api(): WebAssemblyApi | null {
  return (globalThis as { readonly WebAssembly?: WebAssemblyApi }).WebAssembly ?? null;
}

/** Zeroed memory of at least `bytes`; null where this process may not have it (no WebAssembly, or no address space). */
export function wasmMemory(bytes: number): WasmMemory | null {
  const found = api();
  if (found === null) return null;
  const pages = Math.ceil(bytes / WASM_PAGE);
  try {
    return new found.Memory({ initial: pages, maximum: pages });
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

/** Compiles `module` and runs it on `memory`; `functions` are what it imports beside that. */
export function wasmExports(
  module: Uint8Array<ArrayBuffer>,
  memory: WasmMemory,
  functions: Readonly<Record<string, (value: number) => number>>,
): Exports {
  const found = api();
  if (found === null) throw new Error("there is no WebAssembly, though there is its memory");
  return new found.Instance(new found.Module(module), { env: { memory, ...functions } }).exports;
}
