/**
 * Declarations of JSON documents. From one declaration follow the TypeScript type (`Of`), the JSON schema in docs/
 * (json-schema.ts) and the check of a document from elsewhere (schema-read.ts).
 *
 * Own code, and no library: TypeBox costs 85 to 180 ms of CPU at each start (measured; bare node: 50 ms) and 6 MB.
 */

/** What a declaration consists of. `about` becomes the schema's description. */
export type SchemaNode = { readonly about?: string } & (
  | { readonly kind: "text"; readonly pattern?: string }
  | { readonly kind: "number"; readonly whole: boolean; readonly min?: number; readonly max?: number }
  | { readonly kind: "flag" }
  /** One of some values. */
  | { readonly kind: "choice"; readonly values: readonly Scalar[] }
  | { readonly kind: "list"; readonly item: SchemaNode; readonly min?: number; readonly max?: number }
  /** An object of any keys, whose values are alike. */
  | { readonly kind: "map"; readonly value: SchemaNode }
  | { readonly kind: "record"; readonly fields: Readonly<Record<string, FieldNode>>; readonly minFields?: number }
  | { readonly kind: "nullable"; readonly inner: SchemaNode }
  | { readonly kind: "either"; readonly options: readonly SchemaNode[] }
  /** A definition with a name, written once in a schema; a function, so that it can refer to itself. */
  | { readonly kind: "shared"; readonly name: string; readonly inner: () => SchemaNode }
);

export type Scalar = string | number | boolean | null;

export interface FieldNode {
  readonly node: SchemaNode;
  /** `late`: added within a version; documents that lack it are read as if they had `fallback`. */
  readonly presence: "required" | "optional" | "late";
  readonly fallback?: unknown;
  /**
   * Of a late field that came after ids of documents were kept. `if-held`: an id rests on it unless it holds its
   * fallback. `never`: no id rests on it, because nearly every document has it.
   */
  readonly inId?: "if-held" | "never";
  readonly initial?: unknown;
}

declare const type: unique symbol;

/** A declaration of values of the type `T`. */
export interface Schema<out T> {
  readonly node: SchemaNode;
  /** Never there at run time. */
  readonly [type]?: T;
}

/** A field that need not be there. */
export interface Field<out T, P extends "optional" | "late" = "optional" | "late"> extends FieldNode {
  readonly presence: P;
  readonly [type]?: T;
}

/** The type of what a declaration declares. */
export type Of<S> = S extends { readonly [type]?: infer T } ? Exclude<T, undefined> : never;

type Fields = Readonly<Record<string, Schema<unknown> | Field<unknown>>>;
type OptionalKeys<F extends Fields> = { [K in keyof F]: F[K] extends Field<unknown, "optional"> ? K : never }[keyof F];
type RecordOf<F extends Fields> = { readonly [K in Exclude<keyof F, OptionalKeys<F>>]: Of<F[K]> } & {
  readonly [K in OptionalKeys<F>]?: Of<F[K]>;
} extends infer R
  ? { readonly [K in keyof R]: R[K] }
  : never;

function make<T>(node: SchemaNode, about: string | undefined): Schema<T> {
  return { node: about === undefined ? node : { ...node, about } };
}

export function text<T extends string = string>(about?: string): Schema<T> {
  return make({ kind: "text" }, about);
}

/** A text that a regular expression matches. */
export function matching(pattern: string, about?: string): Schema<string> {
  return make({ kind: "text", pattern }, about);
}

/** A whole number that is exact: its size is at most 2^53 - 1. */
export function integer(about?: string, range: { readonly min?: number; readonly max?: number } = {}): Schema<number> {
  return make({ kind: "number", whole: true, ...range }, about);
}

/** A whole number from `min`, by default 0. */
export function count(about?: string, min = 0): Schema<number> {
  return integer(about, { min });
}

export function number(about?: string, range: { readonly min?: number; readonly max?: number } = {}): Schema<number> {
  return make({ kind: "number", whole: false, ...range }, about);
}

export function flag(about?: string): Schema<boolean> {
  return make({ kind: "flag" }, about);
}

export function choice<const V extends readonly Scalar[]>(values: V, about?: string): Schema<V[number]> {
  return make({ kind: "choice", values }, about);
}

export function constant<const V extends Scalar>(value: V): Schema<V> {
  return make({ kind: "choice", values: [value] }, undefined);
}

export function list<T>(
  item: Schema<T>,
  about?: string,
  size: { readonly min?: number; readonly max?: number } = {},
): Schema<readonly T[]> {
  return make({ kind: "list", item: item.node, ...size }, about);
}

export function pair<T>(item: Schema<T>, about?: string): Schema<readonly [T, T]> {
  return make({ kind: "list", item: item.node, min: 2, max: 2 }, about);
}

export function map<T>(value: Schema<T>, about?: string): Schema<Readonly<Record<string, T>>> {
  return make({ kind: "map", value: value.node }, about);
}

function isField(part: Schema<unknown> | Field<unknown>): part is Field<unknown> {
  return "presence" in part;
}

export function record<const F extends Fields>(fields: F, about?: string, minFields?: number): Schema<RecordOf<F>> {
  const nodes = Object.entries(fields).map(([name, part]): [string, FieldNode] => [
    name,
    isField(part) ? part : { node: part.node, presence: "required" },
  ]);
  const node = { kind: "record", fields: Object.fromEntries(nodes) } as const;
  return make(minFields === undefined ? node : { ...node, minFields }, about);
}

/** A record with one field for each of some names, all of one type. */
export function each<const K extends readonly string[], T>(
  names: K,
  value: Schema<T>,
  about?: string,
): Schema<{ readonly [N in K[number]]: T }> {
  const fields = names.map((name): [string, FieldNode] => [name, { node: value.node, presence: "required" }]);
  return make({ kind: "record", fields: Object.fromEntries(fields) }, about);
}

export function nullable<T>(inner: Schema<T>, about?: string): Schema<T | null> {
  return make({ kind: "nullable", inner: inner.node }, about);
}

export function either<const S extends readonly Schema<unknown>[]>(options: S, about?: string): Schema<Of<S[number]>> {
  return make({ kind: "either", options: options.map(({ node }) => node) }, about);
}

/** A definition that stands once in each schema that uses it, under this name. */
export function shared<T>(name: string, inner: Schema<T>): Schema<T> {
  return { node: { kind: "shared", name, inner: () => inner.node } };
}

/** The same for a type that contains itself, which TypeScript cannot infer. */
export function recursive<T>(name: string, inner: (self: Schema<T>) => Schema<unknown>): Schema<T> {
  const self: Schema<T> = { node: { kind: "shared", name, inner: () => inner(self).node } };
  return self;
}

/** The same values, described otherwise. */
export function about<T>(described: string, { node }: Schema<T>): Schema<T> {
  return { node: { ...node, about: described } };
}

/** A field that need not be there; `initial`: what its absence means, for the reader of the schema. */
export function optional<T>({ node }: Schema<T>, initial?: unknown): Field<T, "optional"> {
  return initial === undefined ? { node, presence: "optional" } : { node, presence: "optional", initial };
}

/** A field that was added within a version of its document. */
export function late<T>({ node }: Schema<T>, fallback: T): Field<T, "late"> {
  return { node, presence: "late", fallback };
}

/**
 * A late field that came after archives were written. The id of a document leaves it out if it holds its fallback, so
 * that what an archive holds keeps its id, and the same update added again is known.
 */
export function lateAfterIds<T>(
  schema: Schema<T>,
  fallback: T,
  inId: "if-held" | "never" = "if-held",
): Field<T, "late"> {
  return { ...late(schema, fallback), inId };
}

/** A whole document, and how its schema is headed. */
export interface DocumentSchema<out T> extends Schema<T> {
  /** The file of its schema: `docs/NAME.schema.json`. */
  readonly name: string;
  readonly title: string;
}

export function document<const F extends Fields>(
  name: string,
  title: string,
  about: string | undefined,
  fields: F,
  minFields?: number,
): DocumentSchema<RecordOf<F>> {
  return { ...record(fields, about, minFields), name, title };
}

/** A document of a format and a version, as nearly all are. */
export function formatted<const N extends string, const F extends Fields>(
  name: N,
  about: string,
  fields: F,
): DocumentSchema<RecordOf<{ format: Schema<`blackout-${N}`>; version: Schema<1> } & F>> {
  const head = { format: constant(`blackout-${name}`), version: constant(1) };
  const whole = record({ ...head, ...fields }, about) as unknown as Schema<never>;
  return { ...whole, name, title: `blackout-${name}, version 1` };
}

/** The node of a record, whatever names it; throws if the declaration is of anything else. */
export function recordNode(node: SchemaNode): Extract<SchemaNode, { readonly kind: "record" }> {
  switch (node.kind) {
    case "record":
      return node;
    case "shared":
      return recordNode(node.inner());
    default:
      throw new Error(`expected the declaration of a record, found that of a ${node.kind}`);
  }
}
