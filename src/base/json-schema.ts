/** JSON schemas (draft 7) of declarations. */
import type { DocumentSchema, FieldNode, SchemaNode } from "./schema.js";

export type JsonSchema = { readonly [keyword: string]: unknown };

/** The schema of a document; each definition it shares stands in it once. */
export function jsonSchemaOf({ node, title }: DocumentSchema<unknown>): JsonSchema {
  const definitions = new Map<string, JsonSchema>();
  const { description, ...body } = schemaOf(node, definitions);
  const head = { $schema: "http://json-schema.org/draft-07/schema#", title, description };
  return definitions.size === 0 ? { ...head, ...body } : { ...head, ...body, definitions: sorted(definitions) };
}

function sorted(definitions: ReadonlyMap<string, JsonSchema>): JsonSchema {
  return Object.fromEntries([...definitions].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function schemaOf(node: SchemaNode, definitions: Map<string, JsonSchema>): JsonSchema {
  const { about } = node;
  const schema = bodyOf(node, definitions);
  return about === undefined ? schema : { ...schema, description: about };
}

function bodyOf(node: SchemaNode, definitions: Map<string, JsonSchema>): JsonSchema {
  switch (node.kind) {
    case "text":
      return { type: "string", ...given({ pattern: node.pattern }) };
    case "number":
      return { type: node.whole ? "integer" : "number", ...given({ minimum: node.min, maximum: node.max }) };
    case "flag":
      return { type: "boolean" };
    case "choice":
      return node.values.length === 1 ? { const: node.values[0] } : { enum: node.values };
    case "list": {
      const size = given({ minItems: node.min, maxItems: node.max });
      return { type: "array", items: schemaOf(node.item, definitions), ...size };
    }
    case "map":
      return { type: "object", additionalProperties: schemaOf(node.value, definitions) };
    case "record": {
      const entries = Object.entries(node.fields);
      const required = entries.flatMap(([name, { presence }]) => (presence === "required" ? [name] : []));
      const properties = entries.map(([name, field]) => [name, fieldSchema(field, definitions)] as const);
      return {
        type: "object",
        additionalProperties: false,
        ...given({ minProperties: node.minFields }),
        ...(required.length === 0 ? {} : { required }),
        properties: Object.fromEntries(properties),
      };
    }
    case "nullable":
      return orNull(schemaOf(node.inner, definitions));
    case "either":
      return { anyOf: node.options.map((option) => schemaOf(option, definitions)) };
    case "shared": {
      const { name } = node;
      if (!definitions.has(name)) {
        // Put before its inside is looked at, which may refer to it.
        definitions.set(name, {});
        definitions.set(name, schemaOf(node.inner(), definitions));
      }
      return { $ref: `#/definitions/${name}` };
    }
  }
}

function fieldSchema({ node, initial }: FieldNode, definitions: Map<string, JsonSchema>): JsonSchema {
  const schema = schemaOf(node, definitions);
  return initial === undefined ? schema : { ...schema, default: initial };
}

function orNull(schema: JsonSchema): JsonSchema {
  if (Array.isArray(schema.enum)) return { ...schema, enum: [...schema.enum, null] };
  if (typeof schema.type === "string") return { ...schema, type: [schema.type, "null"] };
  const { description, ...rest } = schema;
  return { anyOf: [{ type: "null" }, rest], ...given({ description }) };
}

function given(keywords: JsonSchema): JsonSchema {
  return Object.fromEntries(Object.entries(keywords).filter(([, value]) => value !== undefined));
}

const LINE_WIDTH = 120;

/** The schema as the file in docs/ has it: a keyword a line, lists of plain values on one line if they fit. */
export function schemaText(document: DocumentSchema<unknown>): string {
  return `${textOf(jsonSchemaOf(document), "", 0)}\n`;
}

/** `lead`: what stands before the value on its line; its length and that of a comma after it count. */
function textOf(value: unknown, indent: string, lead: number): string {
  const inner = `${indent}  `;
  if (Array.isArray(value)) {
    const plain = value.every((item) => typeof item !== "object" || item === null);
    const line = `[${value.map((item) => JSON.stringify(item)).join(", ")}]`;
    if (plain && indent.length + lead + line.length + 1 <= LINE_WIDTH) return line;
    return `[\n${value.map((item) => `${inner}${textOf(item, inner, 0)}`).join(",\n")}\n${indent}]`;
  }
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value).filter(([, each]) => each !== undefined);
    if (entries.length === 0) return "{}";
    const lines = entries.map(([key, each]) => {
      const name = `${JSON.stringify(key)}: `;
      return `${inner}${name}${textOf(each, inner, name.length)}`;
    });
    return `{\n${lines.join(",\n")}\n${indent}}`;
  }
  return JSON.stringify(value);
}
