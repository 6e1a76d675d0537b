/** kprobes and fprobes: calls with their arguments, returns with their values. Known by fields, not by event names. */
import type { EventFields } from "../../../model/collected.js";
import { KEY_FUNCTIONS } from "../../../model/luo.js";
import { functionOfReturnProbe, symbolName } from "../symbols.js";
import { detailOf, type ReadRow, type Recording, stackOf, textField, timeOf } from "./tracer.js";

/** A file handler's callback is known by the `compat` that its probe reads: handlers of any name come and go. */
const isKey = (name: string, fields: EventFields): boolean => KEY_FUNCTIONS.has(name) || fields.has("compat");

export interface ProbeReaders {
  readonly entry: ReadRow;
  readonly exit: ReadRow;
}

export function probeReaders(recording: Recording): ProbeReaders {
  const { spans } = recording;
  return {
    entry(chunk, row) {
      const fields = chunk.fields(row);
      const name = symbolName(textField(fields, "__probe_ip")) ?? chunk.strings.stringOf(chunk.name[row] as number);
      recording.functionCalled(chunk, row);
      const span = recording.span(chunk, row, "function", name, detailOf(fields), "kprobe");
      const spanRow = spans.enter(stackOf("kprobe", chunk, row), span, timeOf(chunk, row));
      if (isKey(name, fields)) recording.keep(chunk, row, { what: "call", name, fields, source: "kprobe" }, spanRow);
    },
    exit(chunk, row) {
      const fields = chunk.fields(row);
      const event = chunk.strings.stringOf(chunk.name[row] as number);
      const name = symbolName(textField(fields, "__probe_func")) ?? functionOfReturnProbe(event);
      const detail = detailOf(fields);
      const orphan = recording.span(chunk, row, "function", name, detail, "kprobe");
      const spanRow = spans.exit(stackOf("kprobe", chunk, row), name, timeOf(chunk, row), orphan, detail);
      if (KEY_FUNCTIONS.has(name) || recording.isKept(spanRow))
        recording.keepReturn(chunk, row, { name, fields, source: "kprobe" }, spanRow);
    },
  };
}
