/**
 * Event format files (`events/SYSTEM/NAME/format`), parsed once into field accessors. The capture holds all of a boot's
 * in one file, each line prefixed by its path, as grep -H prints them.
 */
import type { DefectSink } from "../../base/defect.js";

export type FieldShape =
  /** An integer of `size` bytes. */
  | "integer"
  /** `char name[N]`, NUL-terminated within `size`. */
  | "text"
  /** `__data_loc T[]`: low half offset from the record's begin, high half length. */
  | "data-loc"
  /** `__rel_loc T[]`: the same, its offset counted from behind the field. */
  | "rel-loc"
  /** `T name[]` of size 0: runs to the record's end. */
  | "rest"
  /** Any other array: shown as hexadecimal bytes. */
  | "bytes";

export interface FieldFormat {
  readonly name: string;
  readonly shape: FieldShape;
  /** Bytes from the record's begin (its common_type). */
  readonly offset: number;
  readonly size: number;
  readonly signed: boolean;
  /** Its elements are characters. */
  readonly isText: boolean;
  /** Its C type as declared, an array's length included: `char[16]`, `__data_loc u64[]`, `const char *`. */
  readonly type: string;
  /** Of one element of an array; `size` of all else. */
  readonly elementBytes: number;
}

export interface EventFormat {
  readonly id: number;
  readonly system: string;
  readonly name: string;
  /** Without the common_* fields. */
  readonly fields: readonly FieldFormat[];
  /** common_type, common_flags, common_preempt_count, common_pid. */
  readonly commonFields: readonly FieldFormat[];
  /** What follows `print fmt:`. */
  readonly printFmt: string;
}

export interface ParsedFormats {
  readonly byId: ReadonlyMap<number, EventFormat>;
  readonly names: ReadonlySet<string>;
  /** Byte offset and size of common_pid, the same in every event. */
  readonly pidOffset: number;
}

/** common_type is 16 bits wide. */
const MAX_ID = 65_535;
/** No record is longer than a sub-buffer; no kernel has sub-buffers above this. */
const MAX_OFFSET = 1 << 20;
const FIELD = /^\tfield:(.+?);\s*offset:(\d{1,9});\s*size:(\d{1,9});(?:\s*signed:(\d);)?/;

interface Draft {
  readonly path: string;
  readonly line: number;
  name: string;
  id: number;
  readonly fields: FieldFormat[];
  readonly commonFields: FieldFormat[];
  pidOffset: number;
  printFmt: string;
}

/** Formats by id. A file that makes no sense is a defect of its own; the others stand. */
export function parseFormats(bytes: Uint8Array, file: string, sink: DefectSink): ParsedFormats {
  const builder = new FormatsBuilder(file, sink);
  let draft: Draft | null = null;
  const text = new TextDecoder("utf-8").decode(bytes);
  let line = 0;
  for (let from = 0; from < text.length; ) {
    const newline = text.indexOf("\n", from);
    const end = newline < 0 ? text.length : newline;
    const whole = text.slice(from, end);
    from = end + 1;
    line += 1;
    const colon = whole.indexOf("/format:");
    if (colon < 0) continue;
    const path = whole.slice(0, colon + "/format".length);
    if (draft === null || draft.path !== path) {
      builder.close(draft);
      draft = newDraft(path, line);
    }
    addLine(draft, whole.slice(colon + "/format:".length));
  }
  builder.close(draft);
  return builder.formats();
}

/** As parseFormats, of format files that are apart: what a trace.dat holds. */
export function parseFormatFiles(
  files: readonly { readonly system: string; readonly text: string }[],
  file: string,
  sink: DefectSink,
): ParsedFormats {
  const builder = new FormatsBuilder(file, sink);
  for (const [i, { system, text }] of files.entries()) {
    const draft = newDraft(`${system}/${/^name: (.*)$/m.exec(text)?.[1] ?? `#${i + 1}`}/format`, 0);
    for (const line of text.trimEnd().split("\n")) addLine(draft, line);
    builder.close(draft);
  }
  return builder.formats();
}

function newDraft(path: string, line: number): Draft {
  return { path, line, name: "", id: -1, fields: [], commonFields: [], pidOffset: -1, printFmt: "" };
}

class FormatsBuilder {
  readonly #byId = new Map<number, EventFormat>();
  readonly #names = new Set<string>();
  #pidOffset = 4;

  constructor(
    readonly file: string,
    readonly sink: DefectSink,
  ) {}

  close(draft: Draft | null): void {
    if (draft === null) return;
    const fault =
      draft.name === ""
        ? "it has no name"
        : draft.id < 0
          ? "it has no ID"
          : this.#byId.has(draft.id)
            ? "its ID is taken"
            : null;
    if (fault !== null) {
      this.sink.defect({
        code: "formats-malformed",
        severity: "warning",
        file: this.file,
        line: draft.line,
        message: `The format of ${draft.path} cannot be used: ${fault}.`,
        advice: "Events of this kind in raw pages are counted, not decoded.",
      });
      return;
    }
    const system = draft.path.replace(/^\.\//, "").split("/").at(-3) ?? "";
    const { id, name, fields, commonFields, printFmt } = draft;
    this.#byId.set(id, { id, system, name, fields, commonFields, printFmt });
    this.#names.add(name);
    if (draft.pidOffset >= 0) this.#pidOffset = draft.pidOffset;
  }

  formats(): ParsedFormats {
    return { byId: this.#byId, names: this.#names, pidOffset: this.#pidOffset };
  }
}

function addLine(draft: Draft, text: string): void {
  // It comes last, and a string in it may hold newlines.
  if (draft.printFmt !== "") draft.printFmt += `\n${text}`;
  else if (text.startsWith("name: ")) draft.name = text.slice("name: ".length).trim();
  else if (text.startsWith("ID: ")) {
    const id = Number(text.slice("ID: ".length));
    draft.id = Number.isInteger(id) && id >= 0 && id <= MAX_ID ? id : -1;
  } else if (text.startsWith("print fmt: ")) draft.printFmt = text.slice("print fmt: ".length);
  else {
    const match = FIELD.exec(text);
    if (match === null) return;
    const field = fieldOf(match[1] as string, Number(match[2]), Number(match[3]), match[4] === "1");
    if (field === null) return;
    if (field.name === "common_pid") draft.pidOffset = field.offset;
    (field.name.startsWith("common_") ? draft.commonFields : draft.fields).push(field);
  }
}

function fieldOf(declaration: string, offset: number, size: number, signed: boolean): FieldFormat | null {
  if (offset > MAX_OFFSET || size > MAX_OFFSET) return null;
  const match = /([A-Za-z_]\w*)\s*(\[[^\]]*\])?$/.exec(declaration);
  if (match === null) return null;
  const name = match[1] as string;
  const type = declaration.slice(0, match.index).trim();
  const array = match[2] !== undefined || type.endsWith("[]");
  const isText =
    /(?:^|\s)(?:unsigned |signed )?(?:char|u8|__u8)\s*(?:\[\])?$/.test(type.replace(/^const /, "")) &&
    /char/.test(type);
  const shape: FieldShape = type.startsWith("__data_loc")
    ? "data-loc"
    : type.startsWith("__rel_loc")
      ? "rel-loc"
      : // Kernels before 5.x declare the text of a print as `char buf`, of size 0.
        !array && !(size === 0 && isText)
        ? "integer"
        : size === 0
          ? "rest"
          : isText
            ? "text"
            : "bytes";
  const count = Number(/\d+/.exec(match[2] ?? "")?.[0] ?? 0);
  const elementBytes = !array ? size : count > 0 && size % count === 0 ? size / count : elementBytesOf(type);
  return { name, shape, offset, size, signed, isText, type: `${type}${match[2] ?? ""}`, elementBytes };
}

/** Of the element types that occur in arrays whose length only the record knows. */
function elementBytesOf(type: string): number {
  const element = type.replace(/^__(?:data|rel)_loc /, "").replace(/\s*\[\]$/, "");
  const sized = /(?:^|[\s_])[us](?:int)?(8|16|32|64)(?:_t)?$/.exec(element);
  if (sized !== null) return Number(sized[1]) / 8;
  if (/char$|bool$/.test(element)) return 1;
  if (/short$/.test(element)) return 2;
  return /long|\*$|size_t$|cpumask_t$/.test(element) ? 8 : 4;
}
