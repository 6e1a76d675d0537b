/**
 * Turns the expressions of a `print fmt` into functions of a record. Integers are computed as C does on the machine
 * that wrote the record: 64 bits, with the size and sign of the field or the cast.
 */
import { assertNever, err, ok, type Result } from "../../base/result.js";
import type { EventFormat, FieldFormat } from "../formats/event-format.js";
import type { BinaryOperator, Expression } from "./c-expression.js";
import type { KernelFacts } from "./kernel-facts.js";
import { bitmapText, hexJoined } from "./pointer-formats.js";
import { locatedAt, type RecordBytes, textAt, unsignedAt } from "./record.js";

/** A run of bytes of the record: an array field, or what a located field points to. */
export interface Region {
  readonly from: number;
  readonly to: number;
  readonly elementBytes: number;
  readonly signed: boolean;
}

export type Value = bigint | string | Region;

interface IntegerType {
  readonly bytes: number;
  readonly signed: boolean;
}

/** `run` gives null if the record is too short, or points outside itself. */
export interface Compiled {
  readonly type: IntegerType | "text" | "region";
  readonly run: (record: RecordBytes, locals: readonly (Value | null)[]) => Value | null;
  /** The field if that is all it is. */
  readonly field: FieldFormat | null;
}

interface Scope {
  readonly format: EventFormat;
  readonly facts: KernelFacts;
  readonly locals: readonly { readonly name: string; readonly type: IntegerType | "text" | "region" }[];
}

class CannotCompile extends Error {}

/** What `expression` is of a record of `format`; the error names what is not known. */
export function compileExpression(
  expression: Expression,
  format: EventFormat,
  facts: KernelFacts,
): Result<Compiled, string> {
  try {
    return ok(compile(expression, { format, facts, locals: [] }));
  } catch (error) {
    if (error instanceof CannotCompile) return err(error.message);
    throw error;
  }
}

const INT: IntegerType = { bytes: 4, signed: true };

/** Integer types of the formats by their C name, `unsigned` and pointers aside. */
function integerType(type: string, longBytes: 4 | 8): IntegerType {
  const words = type.split(" ").filter((word) => word !== "const" && word !== "volatile");
  if (words.includes("*")) return { bytes: longBytes, signed: false };
  const unsigned = words.some((word) => word === "unsigned" || word === "uint" || word === "ulong");
  if (words.includes("ulong")) return { bytes: longBytes, signed: false };
  const longs = words.filter((word) => word === "long").length;
  if (longs > 0) return { bytes: longs > 1 ? 8 : longBytes, signed: !unsigned };
  if (words.includes("char")) return { bytes: 1, signed: !unsigned };
  if (words.includes("short")) return { bytes: 2, signed: !unsigned };
  const name = words.at(-1) ?? "int";
  const sized = /^_{0,2}(u|s|be|le|uint|int)(8|16|32|64)(?:_t)?$/.exec(name);
  if (sized !== null) return { bytes: Number(sized[2]) / 8, signed: sized[1] === "s" || sized[1] === "int" };
  if (name === "bool" || name === "_Bool") return { bytes: 1, signed: false };
  if (LONG_TYPES.has(name)) return { bytes: longBytes, signed: name === "ssize_t" || name === "ptrdiff_t" };
  if (EIGHT_BYTES.has(name)) return { bytes: 8, signed: name !== "sector_t" };
  if (name === "umode_t") return { bytes: 2, signed: false };
  if (/^(?:gfp_t|slab_flags_t|blk_opf_t|fmode_t|dev_t|uid_t|gid_t|mode_t|vm_fault_t|__kernel_rwf_t)$/.test(name)) {
    return { bytes: 4, signed: false };
  }
  return words.includes("enum") || unsigned ? { bytes: 4, signed: !unsigned } : { bytes: 4, signed: true };
}

const LONG_TYPES = new Set(["size_t", "ssize_t", "ptrdiff_t", "uintptr_t", "phys_addr_t", "dma_addr_t", "pgoff_t"]);
const EIGHT_BYTES = new Set(["loff_t", "sector_t", "ktime_t", "time64_t"]);

function cut(value: bigint, type: IntegerType): bigint {
  return type.signed ? BigInt.asIntN(type.bytes * 8, value) : BigInt.asUintN(type.bytes * 8, value);
}

/** C's usual arithmetic conversions (C11 6.3.1.8), for what occurs in print formats. */
function joint(a: IntegerType, b: IntegerType): IntegerType {
  const [left, right] = [promoted(a), promoted(b)];
  if (left.bytes !== right.bytes) return left.bytes > right.bytes ? left : right;
  return { bytes: left.bytes, signed: left.signed && right.signed };
}

function promoted(type: IntegerType): IntegerType {
  return type.bytes < 4 ? INT : type;
}

function constant(value: bigint, type: IntegerType): Compiled {
  return { type, run: () => value, field: null };
}

function compile(expression: Expression, scope: Scope): Compiled {
  const { facts } = scope;
  switch (expression.kind) {
    case "integer":
      return constant(expression.value, integerType(expression.type, facts.longBytes));
    case "string":
      return { type: "text", run: () => expression.value, field: null };
    case "name":
      return named(expression.name, scope);
    case "field":
      return fieldOf(expression.name, scope);
    case "index":
      return element(compile(expression.base, scope), integer(compile(expression.index, scope)));
    case "sizeof":
      return constant(BigInt(integerType(expression.type, facts.longBytes).bytes), {
        bytes: facts.longBytes,
        signed: false,
      });
    case "cast":
      return cast(expression.type, compile(expression.operand, scope), facts);
    case "unary":
      return unary(expression.operator, compile(expression.operand, scope));
    case "binary":
      return binary(expression.operator, compile(expression.left, scope), compile(expression.right, scope));
    case "conditional":
      return conditional(expression, scope);
    case "call":
      return call(expression.name, expression.args, scope);
    case "list":
      throw new CannotCompile("a list stands outside a table");
    case "block":
      return block(expression, scope);
    default:
      return assertNever(expression);
  }
}

function integer(compiled: Compiled): Compiled & { readonly type: IntegerType } {
  if (typeof compiled.type === "string") throw new CannotCompile("an integer is expected");
  return compiled as Compiled & { readonly type: IntegerType };
}

function asInteger(value: Value | null): bigint | null {
  return typeof value === "bigint" ? value : null;
}

function named(name: string, { locals, facts }: Scope): Compiled {
  const local = locals.findIndex((each) => each.name === name);
  if (local >= 0) {
    const { type } = locals[local] as Scope["locals"][number];
    return { type, run: (_record, values) => values[local] ?? null, field: null };
  }
  const known = CONSTANTS.get(name);
  if (known !== undefined) return constant(known, { bytes: facts.longBytes, signed: true });
  throw new CannotCompile(`'${name}' is not known`);
}

/** Enumerators that kernels leave unresolved in their formats (no TRACE_DEFINE_ENUM); part of their ABI. */
const CONSTANTS: ReadonlyMap<string, bigint> = new Map([
  ["NULL", 0n],
  ["true", 1n],
  ["false", 0n],
  // include/uapi/linux/ioprio.h
  ["IOPRIO_CLASS_NONE", 0n],
  ["IOPRIO_CLASS_RT", 1n],
  ["IOPRIO_CLASS_BE", 2n],
  ["IOPRIO_CLASS_IDLE", 3n],
  ["IOPRIO_CLASS_INVALID", 7n],
  // include/linux/hrtimer.h
  ...Object.entries({
    ABS: 0,
    REL: 1,
    ABS_PINNED: 2,
    REL_PINNED: 3,
    ABS_SOFT: 4,
    REL_SOFT: 5,
    ABS_PINNED_SOFT: 6,
    REL_PINNED_SOFT: 7,
    ABS_HARD: 8,
    REL_HARD: 9,
    ABS_PINNED_HARD: 10,
    REL_PINNED_HARD: 11,
  }).map(([name, value]): [string, bigint] => [`HRTIMER_MODE_${name}`, BigInt(value)]),
  // include/net/tcp_states.h
  ...[
    "ESTABLISHED",
    "SYN_SENT",
    "SYN_RECV",
    "FIN_WAIT1",
    "FIN_WAIT2",
    "TIME_WAIT",
    "CLOSE",
    "CLOSE_WAIT",
    "LAST_ACK",
    "LISTEN",
    "CLOSING",
    "NEW_SYN_RECV",
  ].map((name, i): [string, bigint] => [`TCP_${name}`, BigInt(i + 1)]),
]);

/** struct trace_entry, which some formats name in full. */
const ENTRY_FIELDS: ReadonlyMap<string, string> = new Map([
  ["ent.type", "common_type"],
  ["ent.flags", "common_flags"],
  ["ent.preempt_count", "common_preempt_count"],
  ["ent.pid", "common_pid"],
]);

function formatField(name: string, { format }: Scope): FieldFormat {
  const wanted = ENTRY_FIELDS.get(name) ?? name;
  const field =
    format.fields.find((each) => each.name === wanted) ?? format.commonFields.find((each) => each.name === wanted);
  if (field === undefined) throw new CannotCompile(`there is no field '${name}'`);
  return field;
}

function fieldOf(name: string, scope: Scope): Compiled {
  if (name.startsWith("__data_loc_")) {
    const field = formatField(name.slice("__data_loc_".length), scope);
    return { type: { bytes: 4, signed: false }, run: (record) => unsignedAt(record, field.offset, 4), field: null };
  }
  const field = formatField(name, scope);
  switch (field.shape) {
    case "integer":
      return { type: { bytes: field.size, signed: field.signed }, run: integerRun(field), field };
    case "data-loc":
    case "rel-loc":
      return { type: { bytes: 4, signed: false }, run: (record) => unsignedAt(record, field.offset, 4), field };
    case "text":
    case "bytes":
    case "rest":
      return {
        type: "region",
        field,
        run: (record) => {
          const to = field.shape === "rest" ? record.length : field.offset + field.size;
          if (to > record.length || field.offset > record.length) return null;
          return { from: field.offset, to, elementBytes: field.elementBytes, signed: field.signed };
        },
      };
    default:
      return assertNever(field.shape);
  }
}

function integerRun({ offset, size, signed }: FieldFormat): Compiled["run"] {
  if (!signed) return (record) => unsignedAt(record, offset, size);
  return (record) => {
    const value = unsignedAt(record, offset, size);
    return value === null ? null : BigInt.asIntN(size * 8, value);
  };
}

function elementAt(record: RecordBytes, region: Region, index: number): bigint | null {
  const at = region.from + index * region.elementBytes;
  if (!Number.isInteger(at) || at < region.from || at + region.elementBytes > region.to) return null;
  const value = unsignedAt(record, at, region.elementBytes);
  return value === null || !region.signed ? value : BigInt.asIntN(region.elementBytes * 8, value);
}

function element(base: Compiled, index: Compiled): Compiled {
  if (base.type !== "region") throw new CannotCompile("only arrays have elements");
  return {
    // The element's own size is known with the record; its value is cut already.
    type: { bytes: 8, signed: true },
    field: null,
    run: (record, locals) => {
      const region = base.run(record, locals);
      const at = asInteger(index.run(record, locals));
      return region === null || typeof region !== "object" || at === null
        ? null
        : elementAt(record, region, Number(at));
    },
  };
}

function cast(type: string, operand: Compiled, facts: KernelFacts): Compiled {
  const target = integerType(type, facts.longBytes);
  if (operand.type === "text") return operand;
  if (operand.type === "region") {
    if (!type.includes("*")) throw new CannotCompile("an array is cast to an integer");
    const to = integerType(type.replace(/\*/g, "").trim(), facts.longBytes);
    if (/^(?:const )?(?:void|struct|union)/.test(type)) return operand;
    return {
      ...operand,
      field: null,
      run: (record, locals) => {
        const region = operand.run(record, locals);
        return region === null || typeof region !== "object"
          ? null
          : { ...region, elementBytes: to.bytes, signed: to.signed };
      },
    };
  }
  return {
    type: target,
    // A wider cast does not change how a field is printed.
    field: target.bytes >= operand.type.bytes ? operand.field : null,
    run: (record, locals) => {
      const value = asInteger(operand.run(record, locals));
      return value === null ? null : cut(value, target);
    },
  };
}

function unary(operator: "-" | "+" | "!" | "~" | "*" | "&", operand: Compiled): Compiled {
  if (operator === "&") {
    if (operand.type === "region") return operand;
    const { field } = operand;
    if (field === null) throw new CannotCompile("the address of an expression is requested");
    return {
      type: "region",
      field: null,
      run: () => ({
        from: field.offset,
        to: field.offset + field.size,
        elementBytes: field.size,
        signed: field.signed,
      }),
    };
  }
  if (operator === "*") return element(operand, constant(0n, INT));
  const { type, run } = integer(operand);
  const result = operator === "!" ? INT : promoted(type);
  return {
    type: result,
    field: null,
    run: (record, locals) => {
      const value = asInteger(run(record, locals));
      if (value === null) return null;
      switch (operator) {
        case "-":
          return cut(-value, result);
        case "+":
          return cut(value, result);
        case "!":
          return value === 0n ? 1n : 0n;
        case "~":
          return cut(~value, result);
      }
    },
  };
}

function binary(operator: BinaryOperator, left: Compiled, right: Compiled): Compiled {
  const [a, b] = [integer(left), integer(right)];
  const both = joint(a.type, b.type);
  const shift = operator === "<<" || operator === ">>";
  const operand = shift ? promoted(a.type) : both;
  const boolean = ["<", ">", "<=", ">=", "==", "!=", "&&", "||"].includes(operator);
  return {
    type: boolean ? INT : operand,
    field: null,
    run: (record, locals) => {
      const x = asInteger(a.run(record, locals));
      if (x === null) return null;
      if (operator === "&&" && x === 0n) return 0n;
      if (operator === "||" && x !== 0n) return 1n;
      const y = asInteger(b.run(record, locals));
      return y === null ? null : applied(operator, cut(x, operand), shift ? y : cut(y, both), operand);
    },
  };
}

function applied(operator: BinaryOperator, x: bigint, y: bigint, type: IntegerType): bigint | null {
  const truth = (condition: boolean): bigint => (condition ? 1n : 0n);
  switch (operator) {
    case "*":
      return cut(x * y, type);
    case "/":
      return y === 0n ? null : cut(x / y, type);
    case "%":
      return y === 0n ? null : cut(x % y, type);
    case "+":
      return cut(x + y, type);
    case "-":
      return cut(x - y, type);
    case "<<":
      return y < 0n || y > 63n ? null : cut(x << y, type);
    case ">>":
      return y < 0n || y > 63n ? null : cut(x >> y, type);
    case "&":
      return cut(x & y, type);
    case "^":
      return cut(x ^ y, type);
    case "|":
      return cut(x | y, type);
    case "<":
      return truth(x < y);
    case ">":
      return truth(x > y);
    case "<=":
      return truth(x <= y);
    case ">=":
      return truth(x >= y);
    case "==":
      return truth(x === y);
    case "!=":
      return truth(x !== y);
    case "&&":
    case "||":
      return truth(y !== 0n);
    default:
      return assertNever(operator);
  }
}

function conditional(expression: Extract<Expression, { kind: "conditional" }>, scope: Scope): Compiled {
  const condition = integer(compile(expression.condition, scope));
  const yes = expression.yes === null ? condition : compile(expression.yes, scope);
  const no = compile(expression.no, scope);
  const type = typeof yes.type === "object" && typeof no.type === "object" ? joint(yes.type, no.type) : yes.type;
  return {
    type,
    field: null,
    run: (record, locals) => {
      const chosen = asInteger(condition.run(record, locals));
      if (chosen === null) return null;
      const value = (chosen !== 0n ? yes : no).run(record, locals);
      return typeof value === "bigint" && typeof type === "object" ? cut(value, type) : value;
    },
  };
}

function block(expression: Extract<Expression, { kind: "block" }>, scope: Scope): Compiled {
  let inner = scope;
  const values: Compiled[] = [];
  for (const { name, type, value } of expression.locals) {
    const compiled = compile(value, inner);
    const declared = /typeof|auto/.test(type) ? compiled.type : integerType(type, scope.facts.longBytes);
    values.push(compiled);
    inner = { ...inner, locals: [...inner.locals, { name, type: declared }] };
  }
  const result = compile(expression.result, inner);
  const outer = scope.locals.length;
  return {
    type: result.type,
    field: null,
    run: (record, locals) => {
      const own = locals.slice(0, outer);
      for (const value of values) own.push(value.run(record, own));
      return result.run(record, own);
    },
  };
}

/** A table of `{ value, "name" }` of __print_flags and __print_symbolic. */
function table(
  items: readonly Expression[],
  scope: Scope,
): readonly { readonly value: bigint; readonly name: string }[] {
  const nothing: RecordBytes = { view: EMPTY, bytes: new Uint8Array(0), begin: 0, length: 0, littleEndian: true };
  const found: { value: bigint; name: string }[] = [];
  for (const item of items) {
    if (item.kind !== "list" || item.items.length < 2) throw new CannotCompile("a table's element is not a pair");
    const [value, name] = item.items.map((each) => compile(each, scope).run(nothing, []));
    // The kernel ends its own tables with { -1, NULL }.
    if (typeof name !== "string") break;
    if (typeof value !== "bigint") throw new CannotCompile("a table's value is not constant");
    found.push({ value: BigInt.asUintN(64, value), name });
  }
  return found;
}
const EMPTY = new DataView(new ArrayBuffer(0));

function textual(run: Compiled["run"]): Compiled {
  return { type: "text", run, field: null };
}

/** The located field that __get_str(name) and the like name without REC. */
function locatedField(argument: Expression | undefined, scope: Scope): FieldFormat {
  if (argument === undefined || (argument.kind !== "name" && argument.kind !== "field")) {
    throw new CannotCompile("a field's name is expected");
  }
  return formatField(argument.name, scope);
}

function locate(record: RecordBytes, field: FieldFormat): { from: number; to: number } | null {
  return locatedAt(record, field.offset, field.shape === "rel-loc");
}

/** A call within a print format: the name as written, so that helpers that differ in one detail share a function. */
interface HelperCall {
  readonly name: string;
  readonly args: readonly Expression[];
  readonly scope: Scope;
}

/** The `i`th argument, compiled. */
function argumentOf({ name, args, scope }: HelperCall, i: number): Compiled {
  const found = args[i];
  if (found === undefined) throw new CannotCompile(`${name} lacks an argument`);
  return compile(found, scope);
}

function locatedText({ args, scope }: HelperCall): Compiled {
  const field = locatedField(args[0], scope);
  return {
    type: "text",
    field,
    run: (record) => {
      const place = locate(record, field);
      return place === null ? null : textAt(record, place.from, place.to);
    },
  };
}

function locatedRegion({ args, scope }: HelperCall): Compiled {
  const field = locatedField(args[0], scope);
  return { type: "region", field, run: (record) => regionOf(record, field) };
}

function locatedLength({ args, scope }: HelperCall): Compiled {
  const field = locatedField(args[0], scope);
  return {
    type: INT,
    field: null,
    run: (record) => {
      const place = locate(record, field);
      return place === null ? null : BigInt(place.to - place.from);
    },
  };
}

function locatedBitmap({ args, scope }: HelperCall): Compiled {
  const field = locatedField(args[0], scope);
  return textual((record) => {
    const place = locate(record, field);
    if (place === null) return null;
    const bytes = record.bytes.subarray(record.begin + place.from, record.begin + place.to);
    return bitmapText(bytes, bytes.length * 8, record.littleEndian);
  });
}

function printedFlags(helper: HelperCall): Compiled {
  const value = integer(argumentOf(helper, 0));
  const [, second, ...items] = helper.args;
  const delimiter = second?.kind === "string" ? second.value : "";
  const flags = table(items, helper.scope);
  return textual((record, locals) => {
    const found = asInteger(value.run(record, locals));
    return found === null ? null : flagsText(BigInt.asUintN(64, found), delimiter, flags);
  });
}

function printedSymbol(helper: HelperCall): Compiled {
  const value = integer(argumentOf(helper, 0));
  const names = new Map<bigint, string>();
  for (const each of table(helper.args.slice(1), helper.scope)) {
    if (!names.has(each.value)) names.set(each.value, each.name);
  }
  return textual((record, locals) => {
    const found = asInteger(value.run(record, locals));
    if (found === null) return null;
    const wide = BigInt.asUintN(64, found);
    return names.get(wide) ?? `0x${wide.toString(16)}`;
  });
}

function printedHex(helper: HelperCall): Compiled {
  const [region, length] = [argumentOf(helper, 0), integer(argumentOf(helper, 1))];
  const separator = helper.name === "__print_hex" ? " " : "";
  return textual((record, locals) => {
    const bytes = pointedBytes(record, region.run(record, locals));
    const count = asInteger(length.run(record, locals));
    return bytes === null || count === null
      ? null
      : hexJoined(bytes.subarray(0, Math.max(0, Number(count))), separator, false);
  });
}

function printedArray(helper: HelperCall): Compiled {
  const region = argumentOf(helper, 0);
  const [count, size] = [integer(argumentOf(helper, 1)), integer(argumentOf(helper, 2))];
  return textual((record, locals) => {
    const place = region.run(record, locals);
    const elements = asInteger(count.run(record, locals));
    const bytes = asInteger(size.run(record, locals));
    if (place === null || typeof place !== "object" || elements === null || bytes === null) return null;
    return arrayText(record, { ...place, elementBytes: Number(bytes), signed: false }, Number(elements));
  });
}

function printedDynamicArray(helper: HelperCall): Compiled {
  const field = locatedField(helper.args[0], helper.scope);
  const size = integer(argumentOf(helper, 1));
  return textual((record, locals) => {
    const place = locate(record, field);
    const bytes = Number(asInteger(size.run(record, locals)) ?? 0n);
    if (place === null || bytes <= 0) return null;
    const count = Math.floor((place.to - place.from) / bytes);
    return arrayText(record, { ...place, elementBytes: bytes, signed: false }, count);
  });
}

function partOfSeconds(helper: HelperCall): Compiled {
  const value = integer(argumentOf(helper, 0));
  const wholeSeconds = helper.name === "__print_ns_to_secs";
  return {
    type: { bytes: 8, signed: false },
    field: null,
    run: (record, locals) => {
      const ns = asInteger(value.run(record, locals));
      if (ns === null) return null;
      const unsigned = BigInt.asUintN(64, ns);
      return wholeSeconds ? unsigned / 1_000_000_000n : unsigned % 1_000_000_000n;
    },
  };
}

/** A conversion between big endian and the machine's byte order, of `bytes` bytes. */
function byteOrder(bytes: number): (helper: HelperCall) => Compiled {
  return (helper) => {
    const value = integer(argumentOf(helper, 0));
    return {
      type: { bytes, signed: false },
      field: null,
      run: (record, locals) => {
        const found = asInteger(value.run(record, locals));
        if (found === null) return null;
        return record.littleEndian ? swapped(BigInt.asUintN(bytes * 8, found), bytes) : found;
      },
    };
  };
}

/** The helpers of print formats by name (include/trace/stages/stage3_trace_output.h). */
const HELPERS: ReadonlyMap<string, (helper: HelperCall) => Compiled> = new Map([
  ["__get_str", locatedText],
  ["__get_rel_str", locatedText],
  ["__get_dynamic_array", locatedRegion],
  ["__get_rel_dynamic_array", locatedRegion],
  ["__get_sockaddr", locatedRegion],
  ["__get_rel_sockaddr", locatedRegion],
  ["__get_dynamic_array_len", locatedLength],
  ["__get_rel_dynamic_array_len", locatedLength],
  ["__get_bitmask", locatedBitmap],
  ["__get_cpumask", locatedBitmap],
  ["__get_rel_bitmask", locatedBitmap],
  ["__get_rel_cpumask", locatedBitmap],
  ["__print_flags", printedFlags],
  ["__print_flags_u64", printedFlags],
  ["__print_symbolic", printedSymbol],
  ["__print_symbolic_u64", printedSymbol],
  ["__print_hex", printedHex],
  ["__print_hex_str", printedHex],
  ["__print_array", printedArray],
  ["__print_dynamic_array", printedDynamicArray],
  ["__print_ns_to_secs", partOfSeconds],
  ["__print_ns_without_secs", partOfSeconds],
  ["__builtin_expect", (helper) => argumentOf(helper, 0)],
  ["__builtin_constant_p", () => constant(0n, INT)],
  ["ntohs", byteOrder(2)],
  ["htons", byteOrder(2)],
  ["ntohl", byteOrder(4)],
  ["htonl", byteOrder(4)],
]);

/** The kernel's spellings of a change of byte order, such as be32_to_cpu and __cpu_to_be16p. */
const BYTE_ORDER_NAME = /^(?:__)?(?:be|cpu_to_be)(16|32|64)(?:_to_cpu)?p?$/;

function call(name: string, args: readonly Expression[], scope: Scope): Compiled {
  const bits = BYTE_ORDER_NAME.exec(name)?.[1];
  const helper = bits === undefined ? HELPERS.get(name) : byteOrder(Number(bits) / 8);
  if (helper === undefined) throw new CannotCompile(`'${name}()' is not known`);
  return helper({ name, args, scope });
}

function swapped(value: bigint, bytes: number): bigint {
  let found = 0n;
  for (let i = 0; i < bytes; i++) found = (found << 8n) | ((value >> BigInt(8 * i)) & 0xffn);
  return found;
}

function regionOf(record: RecordBytes, field: FieldFormat): Region | null {
  const place = locate(record, field);
  return place === null ? null : { ...place, elementBytes: field.elementBytes, signed: field.signed };
}

/** The bytes of a region; null for all else. */
export function pointedBytes(record: RecordBytes, value: Value | null): Uint8Array | null {
  if (value === null || typeof value !== "object") return null;
  return record.bytes.subarray(record.begin + value.from, record.begin + Math.min(value.to, record.length));
}

/** trace_print_flags_seq: names in the table's order; what no name stands for is left as hexadecimal. */
export function flagsText(
  value: bigint,
  delimiter: string,
  flags: readonly { readonly value: bigint; readonly name: string }[],
): string {
  const parts: string[] = [];
  let left = value;
  for (const flag of flags) {
    if (left === 0n) break;
    if ((left & flag.value) !== flag.value) continue;
    parts.push(flag.name);
    left &= ~flag.value;
  }
  if (left !== 0n) parts.push(`0x${left.toString(16)}`);
  return parts.join(delimiter);
}

/** trace_print_array_seq: `{0x1,0x2}`. */
function arrayText(record: RecordBytes, region: Region, count: number): string | null {
  const { elementBytes } = region;
  if (![1, 2, 4, 8].includes(elementBytes) || count < 0) return null;
  const parts: string[] = [];
  for (let i = 0; i < count; i++) {
    const value = elementAt(record, region, i);
    if (value === null) return null;
    parts.push(`0x${value.toString(16)}`);
  }
  return `{${parts.join(",")}}`;
}
