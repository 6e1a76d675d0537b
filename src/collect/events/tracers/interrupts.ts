/** irq: interrupt handlers and softirqs, by CPU. */
import { integerField, type ReadRow, type Recording, type Tracer, textField, timeOf } from "./tracer.js";

/** Softirqs by vector (include/linux/interrupt.h). */
const SOFTIRQS = ["HI", "TIMER", "NET_TX", "NET_RX", "BLOCK", "IRQ_POLL", "TASKLET", "SCHED", "HRTIMER", "RCU"];
const EVIDENCE = "irq events";

export function interrupts(recording: Recording): Tracer {
  const { spans } = recording;
  const exit =
    (stack: "irq" | "softirq"): ReadRow =>
    (chunk, row) => {
      spans.exit(`${stack} cpu${chunk.cpu[row]}`, null, timeOf(chunk, row), null, "");
    };
  const irq: ReadRow = (chunk, row) => {
    const fields = chunk.fields(row);
    const name = `irq ${integerField(fields.get("irq")) ?? "?"} ${textField(fields, "name")}`;
    spans.enter(`irq cpu${chunk.cpu[row]}`, recording.span(chunk, row, "irq", name, "", EVIDENCE), timeOf(chunk, row));
  };
  const softirq: ReadRow = (chunk, row) => {
    const fields = chunk.fields(row);
    const vector = integerField(fields.get("vec")) ?? integerField(textField(fields, "vec").split(" ")[0]);
    const name = `softirq ${SOFTIRQS[vector ?? -1] ?? vector ?? "?"}`;
    const span = recording.span(chunk, row, "softirq", name, "", EVIDENCE);
    spans.enter(`softirq cpu${chunk.cpu[row]}`, span, timeOf(chunk, row));
  };
  return {
    events: new Map([
      ["irq_handler_entry", irq],
      ["irq_handler_exit", exit("irq")],
      ["softirq_entry", softirq],
      ["softirq_exit", exit("softirq")],
    ]),
  };
}
