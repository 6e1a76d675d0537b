/**
 * The steps of an event's `print fmt`: literal text is copied, integers and addresses are written digit by digit, and
 * what is computed from one field (flags, symbols, conditions) is kept by the field's value. What no step fits is made
 * as text, by the same code as the event's text.
 */
import { type Expression, parseExpressions } from "../event-text/c-expression.js";
import { type Compiled, compileExpression, type Value } from "../event-text/evaluate.js";
import type { KernelFacts } from "../event-text/kernel-facts.js";
import { converted } from "../event-text/print-format.js";
import { type Conversion, parseFormat } from "../event-text/printf.js";
import type { EventFormat, FieldFormat } from "../formats/event-format.js";
import { PrintStep, type StepDraft } from "./program.js";
import type { RecordCursor } from "./record-cursor.js";

type Made = (record: RecordCursor) => string | null;

const NO_LOCALS: readonly (Value | null)[] = [];
/** Wider columns are made as text. */
const MOST_WIDTH = 64;
const SIZES: readonly number[] = [1, 2, 4, 8];
const PLAIN = /^[\x20-\x7e]*$/;

/** The steps of a format, or null if it is not printed by its print format alone. */
export function stepsOf(format: EventFormat, facts: KernelFacts): readonly (string | StepDraft)[] | null {
  const parsed = parseExpressions(format.printFmt);
  if (!parsed.ok) return null;
  const [head, ...args] = parsed.value;
  if (head?.kind !== "string") return null;
  const steps: (string | StepDraft)[] = [];
  let next = 0;
  for (const piece of parseFormat(head.value)) {
    if (piece.kind === "text") {
      if (!PLAIN.test(piece.text)) return null;
      steps.push(piece.text);
      continue;
    }
    const expression = args[next++];
    if (expression === undefined || piece.width === "*" || piece.precision === "*") return null;
    const compiled = compileExpression(expression, format, facts);
    if (!compiled.ok) return null;
    steps.push(stepOf(piece, expression, compiled.value, format, facts));
  }
  return steps;
}

function stepOf(
  piece: Conversion,
  expression: Expression,
  compiled: Compiled,
  format: EventFormat,
  facts: KernelFacts,
): StepDraft {
  const width = typeof piece.width === "number" ? piece.width : 0;
  const precision = typeof piece.precision === "number" ? piece.precision : -1;
  const make: Made = (record) => {
    const value = compiled.run(record, NO_LOCALS);
    return value === null ? null : converted(record, piece, value, width, precision, facts);
  };
  const { field } = compiled;
  const integer = integerOf(expression, format);
  if (integer !== null) {
    const { offset, size } = integer;
    const isBare = piece.width === null && piece.precision === null;
    if (isBare && piece.letter === "p" && /^[xK]?$/.test(piece.extension)) {
      return { step: PrintStep.pointer, offset, size, width: facts.longBytes * 2 };
    }
    const step = numberStep(piece, integer, facts);
    if (step !== null) return step;
  }
  if (piece.letter === "s" && piece.width === null && piece.precision === null && field !== null) {
    const { offset, size } = field;
    if (expression.kind === "field" && field.shape === "text") return { step: PrintStep.characters, offset, size };
    if (expression.kind === "call" && compiled.type === "text" && field.shape === "data-loc") {
      return { step: PrintStep.located, offset, size: 4 };
    }
  }
  const sole = soleField(expression, format);
  if (sole === null) return { step: PrintStep.made, make };
  return { step: PrintStep.remembered, offset: sole.offset, size: sole.size, make };
}

/** Where an integer stands, if the expression is nothing but that: a field, or an element of an array of fixed size. */
function integerOf(
  expression: Expression,
  format: EventFormat,
): Pick<FieldFormat, "offset" | "size" | "signed"> | null {
  if (expression.kind === "field") {
    const field = format.fields.find((each) => each.name === expression.name);
    return field?.shape === "integer" && SIZES.includes(field.size) ? field : null;
  }
  if (expression.kind !== "index" || expression.base.kind !== "field" || expression.index.kind !== "integer")
    return null;
  const { name } = expression.base;
  const field = format.fields.find((each) => each.name === name);
  const index = Number(expression.index.value);
  if (field?.shape !== "bytes" || !SIZES.includes(field.elementBytes)) return null;
  if (!(index >= 0 && (index + 1) * field.elementBytes <= field.size)) return null;
  return { offset: field.offset + index * field.elementBytes, size: field.elementBytes, signed: field.signed };
}

/** `%d`, `%u`, `%x`, padded with spaces or zeros; null for rarer styles. */
function numberStep(
  piece: Conversion,
  { offset, size, signed }: Pick<FieldFormat, "offset" | "size" | "signed">,
  facts: KernelFacts,
): StepDraft | null {
  const bits = piece.size(facts.longBytes) * 8;
  const width = typeof piece.width === "number" ? piece.width : 0;
  if (piece.plus || piece.space || piece.precision !== null || width > MOST_WIDTH || piece.left || bits < 32)
    return null;
  const common = { offset, size, width, fill: piece.zero ? 0x30 : 0x20, bits };
  switch (piece.letter) {
    case "x":
      return signed && size < 8 ? null : { ...common, step: PrintStep.hex, flag: piece.alternate };
    case "d":
    case "i":
      return { ...common, step: PrintStep.signed, flag: signed };
    case "u":
      return { ...common, step: PrintStep.unsigned, flag: signed };
    default:
      return null;
  }
}

/** Helpers whose result depends on their arguments alone. */
const PURE: ReadonlySet<string> = new Set([
  "__print_flags",
  "__print_flags_u64",
  "__print_symbolic",
  "__print_symbolic_u64",
  "__print_ns_to_secs",
  "__print_ns_without_secs",
  "__builtin_expect",
  "__builtin_constant_p",
]);

/** The one integer field that an expression depends on; null if there are others, or none. */
function soleField(expression: Expression, format: EventFormat): FieldFormat | null {
  const names = new Set<string>();
  if (!collectFields(expression, names)) return null;
  const fields = [...names].map((name) => format.fields.find((field) => field.name === name));
  const [only] = fields;
  return fields.length === 1 && only?.shape === "integer" && SIZES.includes(only.size) ? only : null;
}

/** Adds the fields that an expression reads; false if it reads what is not a field of fixed size. */
function collectFields(expression: Expression, names: Set<string>): boolean {
  const all = (expressions: readonly Expression[]): boolean => expressions.every((each) => collectFields(each, names));
  switch (expression.kind) {
    case "integer":
    case "string":
    case "name":
    case "sizeof":
      return true;
    case "field":
      if (expression.name.startsWith("__data_loc_") || expression.name.includes(".")) return false;
      names.add(expression.name);
      return true;
    case "index":
      return false;
    case "unary":
      return expression.operator !== "&" && expression.operator !== "*" && collectFields(expression.operand, names);
    case "cast":
      return collectFields(expression.operand, names);
    case "binary":
      return all([expression.left, expression.right]);
    case "conditional":
      return all([expression.condition, ...(expression.yes === null ? [] : [expression.yes]), expression.no]);
    case "call":
      return PURE.has(expression.name) && all(expression.args);
    case "list":
      return all(expression.items);
    case "block":
      return all([...expression.locals.map(({ value }) => value), expression.result]);
  }
}
