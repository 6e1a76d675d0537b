/** What `blackout events --json` prints of an event. */
import {
  choice,
  constant,
  document,
  either,
  integer,
  map,
  nullable,
  number,
  type Of,
  optional,
  text,
} from "../../base/schema.js";
import { bootOrNone } from "../document-parts.js";

export const eventSchema = document(
  "event",
  "An event, as `blackout events --json` prints it, one object a line",
  undefined,
  {
    atNs: nullable(
      integer(),
      "Nanoseconds on the axis; zero is the blackout's begin where the capture shows it, else the first event. Without a clock link each boot has its own zero. Null if the source shows order, but no time.",
    ),
    // Null if the event is not of a capture.
    boot: bootOrNone,
    cpu: nullable(integer()),
    pid: nullable(integer()),
    task: nullable(text(), "`<...>` where the kernel had forgotten the name."),
    name: text("Of the event; empty for function-graph lines of text."),
    kind: choice(["event", "graph-entry", "graph-exit", "graph-leaf", "marker"]),
    fields: map(
      either([text(), number(), constant(null)]),
      "In the record's own order, as recorded. Integers above 2^53 are texts. A function-graph row has func, depth and, where known, duration (ns of sched_clock); a marker has buf.",
    ),
    file: text("Path in the capture."),
    place: integer("Line of text, or byte offset in pages."),
    count: optional(
      either(
        [integer(), text(), constant(null)],
        "Of a trace outside a capture: the clock's own count (nanoseconds, but for clocks that count), a text above 2^53; null if the source shows no time. `atNs` is null then.",
      ),
    ),
    clock: optional(text("Of a trace outside a capture: `local`, `x86-tsc`, …")),
    instance: optional(text("Of a trace outside a capture: the instance's name; empty for the top one.")),
  },
);
export type EventDocument = Of<typeof eventSchema>;
