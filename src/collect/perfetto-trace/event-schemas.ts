/** Which fields an event's message has: by the schema, by a descriptor in the trace, or as the event itself reports. */

import type { WireReader } from "../../base/bytes/wire.js";
import type { EventFields, FieldValue } from "../../model/collected.js";
import {
  EVENTS,
  type EventSchema,
  FIRST_DESCRIBED,
  GENERIC,
  numberOfEvent,
  SIGNED_TYPES,
  TYPE_STRING,
} from "../../model/traces/perfetto-ftrace.js";

const FUNCGRAPH_EXIT = numberOfEvent("funcgraph_exit");

/** The events of the schema, and those that a trace describes. */
export class EventSchemas {
  readonly #described = new Map<number, EventSchema>();

  /** Whether its fields are known. */
  has(what: number): boolean {
    return what === GENERIC || this.#of(what) !== undefined;
  }

  #of(what: number): EventSchema | undefined {
    return EVENTS.get(what) ?? this.#described.get(what);
  }

  /** Empty: unknown, or a generic event, whose name is in its message. */
  schemaName(what: number): string {
    return this.#of(what)?.name ?? "";
  }

  /** Adds an event that the trace describes; the first description of an event counts. */
  describe(descriptor: WireReader): void {
    let id = 0;
    let message: WireReader | null = null;
    while (descriptor.next()) {
      if (descriptor.field === 1 && descriptor.type === 0) id = descriptor.value;
      else if (descriptor.field === 2 && descriptor.type === 2) message = descriptor.message();
    }
    if (message === null || id < FIRST_DESCRIBED || this.#described.has(id)) return;
    let name = "";
    const fields = new Map<number, { name: string; kind: "int" | "uint" | "text" }>();
    while (message.next()) {
      if (message.type !== 2) continue;
      if (message.field === 1) name = message.text();
      else if (message.field === 2) {
        const field = message.message();
        let fieldName = "";
        let number = 0;
        let type = 0;
        while (field.next()) {
          if (field.field === 1 && field.type === 2) fieldName = field.text();
          else if (field.field === 3 && field.type === 0) number = field.value;
          else if (field.field === 5 && field.type === 0) type = field.value;
        }
        fields.set(number, {
          name: fieldName,
          kind: type === TYPE_STRING ? "text" : SIGNED_TYPES.has(type) ? "int" : "uint",
        });
      }
    }
    // FooBarFtraceEvent, as the schema names its own.
    this.#described.set(id, { name: name.replace(/FtraceEvent$/, ""), fields });
  }

  /** The event's name; empty if it is unknown. */
  nameOf(what: number, message: WireReader): string {
    if (what !== GENERIC) return this.schemaName(what);
    while (message.next()) if (message.field === 1 && message.type === 2) return message.text();
    return "";
  }

  /** Fields of the message; `symbols`: interned kernel symbols of its sequence. */
  fieldsOf(what: number, message: WireReader, symbols: ReadonlyMap<number, string> | undefined): EventFields {
    const fields = new Map<string, FieldValue>();
    if (what === GENERIC) {
      while (message.next()) {
        if (message.field === 2 && message.type === 2) genericField(message.message(), fields);
      }
      return fields;
    }
    const schema = this.#of(what);
    while (message.next()) {
      const field = schema?.fields.get(message.field);
      if (field === undefined) continue;
      switch (field.kind) {
        case "text":
          if (message.type === 2) fields.set(field.name, message.text());
          break;
        case "symbol":
          fields.set(field.name, symbols?.get(message.value) ?? `0x${message.unsigned().toString(16)}`);
          break;
        case "int":
          fields.set(field.name, message.signed());
          break;
        case "uint":
          fields.set(field.name, message.big >= 0n ? message.big : message.value);
          break;
        case "uints": {
          const before = fields.get(field.name);
          const more = message.packed().join(",");
          fields.set(field.name, before === undefined ? more : `${before},${more}`);
        }
      }
    }
    if (what === FUNCGRAPH_EXIT) {
      const [call, ret] = [fields.get("calltime"), fields.get("rettime")];
      if (call !== undefined && ret !== undefined) fields.set("duration", Number(BigInt(ret) - BigInt(call)));
    }
    return fields;
  }
}

/** GenericFtraceEvent.Field: name 1; str 3, int 4 or uint 5. */
function genericField(field: WireReader, fields: Map<string, FieldValue>): void {
  let name = "";
  let value: FieldValue | null = null;
  while (field.next()) {
    if (field.field === 1 && field.type === 2) name = field.text();
    else if (field.field === 3 && field.type === 2) value = field.text();
    else if (field.field === 4 && field.type === 0) value = field.signed();
    else if (field.field === 5 && field.type === 0) value = field.big >= 0n ? field.big : field.value;
  }
  if (name !== "" && value !== null) fields.set(name, value);
}
