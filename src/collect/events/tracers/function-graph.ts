/** The function graph: entries, exits, and both folded into one line. */
import { type EventChunk, EventKind } from "../../../model/collected.js";
import { KEY_FUNCTIONS } from "../../../model/luo.js";
import { symbolName } from "../symbols.js";
import { type ReadRow, type Recording, stackOf, timeOf } from "./tracer.js";

export function graphReader(recording: Recording): ReadRow {
  const { spans } = recording;
  const source = "function-graph" as const;
  return (chunk: EventChunk, row: number): void => {
    const time = timeOf(chunk, row);
    const fields = chunk.fields(row);
    const name = symbolName(String(fields.get("func") ?? ""));
    const key = name !== null && KEY_FUNCTIONS.has(name);
    const stack = stackOf("graph", chunk, row);
    const span = recording.span(chunk, row, "function", name ?? "?", "", "function graph");
    switch (chunk.kind[row]) {
      case EventKind.graphEntry: {
        recording.functionCalled(chunk, row);
        const spanRow = spans.enter(stack, span, time);
        if (key) recording.keep(chunk, row, { what: "call", name, fields, source }, spanRow);
        return;
      }
      case EventKind.graphExit: {
        const spanRow = spans.exit(stack, name, time, span, "");
        const closed = name ?? spans.name.at(spanRow) ?? null;
        if (closed !== null && KEY_FUNCTIONS.has(closed))
          recording.keepReturn(chunk, row, { name: closed, fields, source }, spanRow);
        return;
      }
      case EventKind.graphLeaf: {
        // The entry is all that a folded leaf without a duration shows; with one, the collector's caller scales it.
        const duration = fields.get("duration");
        const spanRow = spans.leaf(stack, span, time, typeof duration === "number" ? duration : null);
        if (key) recording.keep(chunk, row, { what: "call", name, fields, source }, spanRow);
        return;
      }
      default:
        return;
    }
  };
}
