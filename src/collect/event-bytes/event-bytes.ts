/** What the kernel prints for a record, as bytes: by programs compiled once an event, else as the event's text. */
import type { EventText } from "../event-text/event-text.js";
import type { EventFormat, FieldFormat } from "../formats/event-format.js";
import type { ByteWriter } from "./byte-writer.js";
import { stepsOf } from "./print-steps.js";
import { PrintStep, Program, type StepDraft } from "./program.js";
import type { RecordCursor } from "./record-cursor.js";

const PLAIN_NAME = /^[\x20-\x7e]+$/;

export class EventBytes {
  readonly #byId: (Program | undefined)[] = [];

  constructor(readonly eventText: EventText) {}

  /** Writes `name: text` or what stands in its place; false if the record must be made as text. */
  write(id: number, out: ByteWriter, record: RecordCursor): boolean {
    return (this.#byId[id] ?? this.#compile(id)).write(out, record);
  }

  #compile(id: number): Program {
    const format = this.eventText.formats.byId.get(id);
    const steps = format === undefined ? [this.#asText(id)] : (this.#stepsOf(format) ?? [this.#asText(id)]);
    const program = new Program(steps);
    this.#byId[id] = program;
    return program;
  }

  /** The event's own text, if no steps fit. */
  #asText(id: number): StepDraft {
    return { step: PrintStep.made, make: (record) => this.eventText.text(id, record) };
  }

  #stepsOf(format: EventFormat): readonly (string | StepDraft)[] | null {
    if (!PLAIN_NAME.test(format.name)) return null;
    if (format.system === "ftrace") return this.#ftrace(format);
    if (format.system === "syscalls") return this.#syscall(format);
    const ip = fieldOf(format, "__probe_ip");
    // A probe without arguments depends on its address alone.
    if (ip !== null && format.fields.length === 1) return [this.#wholly(ip, format.id)];
    if (format.fields.some((field) => field.name.startsWith("__probe_"))) return null;
    const steps = stepsOf(format, this.eventText.facts);
    return steps === null ? null : [`${format.name}: `, ...steps];
  }

  /** The whole text, by the one field that it depends on. */
  #wholly({ offset, size }: FieldFormat, id: number): StepDraft {
    return { step: PrintStep.remembered, offset, size, make: (record) => this.eventText.text(id, record) };
  }

  #ftrace(format: EventFormat): readonly (string | StepDraft)[] | null {
    const ip = fieldOf(format, "ip");
    if (ip === null) return null;
    const symbol: StepDraft = {
      step: PrintStep.remembered,
      offset: ip.offset,
      size: ip.size,
      make: (record) => this.eventText.symbolOf(ip, record, false),
    };
    switch (format.name) {
      case "print":
      case "bputs": {
        const text = fieldOf(format, format.name === "print" ? "buf" : "str");
        return text === null ? null : [symbol, ": ", { step: PrintStep.rest, offset: text.offset }];
      }
      case "function": {
        const parent = fieldOf(format, "parent_ip");
        if (parent === null || format.fields.length > 2) return null;
        const { offset, size } = parent;
        const make = (record: RecordCursor): string => {
          const text = this.eventText.symbolOf(parent, record, false);
          return text === "0" ? "" : ` <-${text}`;
        };
        return [symbol, { step: PrintStep.remembered, offset, size, make }];
      }
      default:
        return null;
    }
  }

  /** `sys_NAME -> 0x…`. */
  #syscall(format: EventFormat): readonly (string | StepDraft)[] | null {
    const ret = format.name.startsWith("sys_exit_") ? fieldOf(format, "ret") : null;
    return ret === null ? null : [this.#wholly(ret, format.id)];
  }
}

function fieldOf(format: EventFormat, name: string): FieldFormat | null {
  return format.fields.find((field) => field.name === name) ?? null;
}
