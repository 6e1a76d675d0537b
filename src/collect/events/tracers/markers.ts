/** Lines that user space writes to trace_marker. */
import { parseMark } from "../../../model/marks.js";
import { detailOf, type ReadRow, type Recording, stackOf, textField, timeOf } from "./tracer.js";

export function markReader(recording: Recording): ReadRow {
  const { spans } = recording;
  return (chunk, row) => {
    // A mark ends at its newline: what follows may be another's, or a damaged line that was taken for its rest.
    const text = (textField(chunk.fields(row), "buf").split("\n", 1)[0] as string).trimEnd();
    const { label, edge, fields } = parseMark(text);
    const time = timeOf(chunk, row);
    const span = recording.span(chunk, row, "marker", label, detailOf(fields), "marker");
    const stack = stackOf("marker", chunk, row);
    let spanRow: number;
    switch (edge) {
      case "begin":
        spanRow = spans.enter(stack, span, time);
        break;
      case "end":
        spanRow = spans.exit(stack, label, time, null, "");
        break;
      case null:
        spanRow = spans.whole(span, time, time);
    }
    recording.keep(chunk, row, { what: "marker", name: text, fields, source: "marker" }, spanRow);
  };
}
