/** printk:console: the kernel log on the trace clock. */
import { type Recording, type Tracer, textField } from "./tracer.js";

export function printk(recording: Recording): Tracer {
  return {
    events: new Map([
      [
        "console",
        (chunk, row) => {
          const name = textField(chunk.fields(row), "msg");
          recording.keep(chunk, row, { what: "printk", name, fields: new Map(), source: "printk" });
        },
      ],
    ]),
  };
}
