/** cpuhp: CPUs going up or down, step by step. */
import { symbolName } from "../symbols.js";
import { integerField, type ReadRow, type Recording, stackOf, type Tracer, textField, timeOf } from "./tracer.js";

export function cpuhp(recording: Recording): Tracer {
  const enter: ReadRow = (chunk, row) => {
    const fields = chunk.fields(row);
    const fun = textField(fields, "fun");
    const name = `cpu${integerField(fields.get("cpu")) ?? "?"} ${symbolName(fun) ?? fun}`;
    const span = recording.span(chunk, row, "cpu", name, "", "cpuhp events");
    recording.spans.enter(stackOf("cpuhp", chunk, row), span, timeOf(chunk, row));
  };
  const exit: ReadRow = (chunk, row) => {
    const detail = `ret=${textField(chunk.fields(row), "ret")}`;
    recording.spans.exit(stackOf("cpuhp", chunk, row), null, timeOf(chunk, row), null, detail);
  };
  return {
    events: new Map([
      ["cpuhp_enter", enter],
      ["cpuhp_multi_enter", enter],
      ["cpuhp_exit", exit],
    ]),
  };
}
