/** initcall: the new kernel's initialisation, one function after the other, level by level (init/main.c). */
import { symbolName } from "../symbols.js";
import { type ReadRow, type Recording, type Tracer, textField, timeOf } from "./tracer.js";

const EVIDENCE = "initcall events";

export function initcalls(recording: Recording): Tracer {
  const { spans } = recording;
  /** End of the level's last initcall so far. */
  let lastEnd = Number.NaN;
  /** A level ends with its last initcall: what runs between two levels (SMP bring-up, for one) is neither's. */
  const endLevel = (): void => {
    if (!Number.isNaN(lastEnd)) spans.exit("initcall level", null, lastEnd, null, "");
    lastEnd = Number.NaN;
  };
  const level: ReadRow = (chunk, row) => {
    const name = `level ${textField(chunk.fields(row), "level")}`;
    endLevel();
    spans.enter("initcall level", recording.span(chunk, row, "initcall", name, "", EVIDENCE), timeOf(chunk, row));
  };
  const start: ReadRow = (chunk, row) => {
    const func = textField(chunk.fields(row), "func");
    const span = recording.span(chunk, row, "initcall", symbolName(func) ?? func, "", EVIDENCE);
    spans.enter("initcall", span, timeOf(chunk, row));
  };
  const finish: ReadRow = (chunk, row) => {
    const fields = chunk.fields(row);
    const func = textField(fields, "func");
    const name = symbolName(func) ?? func;
    const orphan = recording.span(chunk, row, "initcall", name, "", EVIDENCE);
    spans.exit("initcall", name, timeOf(chunk, row), orphan, `ret=${textField(fields, "ret")}`);
    lastEnd = timeOf(chunk, row);
  };
  return {
    events: new Map([
      ["initcall_level", level],
      ["initcall_start", start],
      ["initcall_finish", finish],
    ]),
    finish: endLevel,
  };
}
