/** printk:console: the kernel log on the trace clock. */
import { type Recording, type Tracer, textField } from "./tracer.js";

/** The line's own stamp, and its caller: some kernels trace them with the text. */
const STAMP = /^\[ *\d{1,10}\.\d{6}\](?:\[ *[TC]\d{1,10}\])? /;

export function printk(recording: Recording): Tracer {
  return {
    events: new Map([
      [
        "console",
        (chunk, row) => {
          const name = textField(chunk.fields(row), "msg").replace(STAMP, "");
          recording.keep(chunk, row, { what: "printk", name, fields: new Map(), source: "printk" });
        },
      ],
    ]),
  };
}
