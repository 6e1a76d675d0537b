import assert from "node:assert/strict";
import { test } from "node:test";
import { memorySource } from "../../../base/bytes/byte-source.js";
import { traceLine } from "../../../testing/fakes/capture-memory.js";
import { ftraceTextSource } from "../../ftrace-text/ftrace-text.js";
import { EventCollector } from "../event-collector.js";

function collected(text: string): EventCollector {
  const collector = new EventCollector(() => {});
  ftraceTextSource({
    boot: "old",
    source: memorySource("trace", Buffer.from(`# tracer: nop\n#\n${text}`)),
    clock: "local",
    eventNames: null,
  }).read(collector);
  collector.finish();
  return collector;
}

const spansOf = ({ spans }: EventCollector): readonly unknown[] =>
  Array.from({ length: spans.count }, (_, row) => [
    spans.kind.at(row),
    spans.name.at(row),
    spans.pid.at(row),
    (spans.end.at(row) as number) - (spans.begin.at(row) as number),
  ]);

const notifier = (at: number, cb: string, flags: string): string =>
  traceLine(at, `notifier_run: ${cb}`, "agent-7", 0, flags);
const call = (at: number, name: string, flags = "....."): string =>
  traceLine(at, `${name}: (${name}+0x4/0x100)`, "agent-7", 0, flags);
const back = (at: number, name: string, flags = "....."): string =>
  traceLine(at, `${name}_ret: (caller+0x4/0x100 <- ${name})`, "agent-7", 0, flags);

test("a notifier that an interrupt calls is not work of the task that it interrupts", () => {
  for (const flags of ["d.h1.", "d.H1.", "..s1.", "dNh2", "d.Z3.", "d.z..", "dLh1.1."]) {
    const read = collected(
      notifier(1, "some_notify", flags) + call(2, "pci_device_shutdown") + back(3, "pci_device_shutdown"),
    );
    assert.deepEqual(spansOf(read), [["function", "pci_device_shutdown", 7, 1e9]], flags);
    assert.deepEqual(
      read.keyEvents.filter(({ name }) => name === "notifier_run"),
      [],
      flags,
    );
  }
});

test("a notifier that the task itself calls lasts until the next function that it calls, not until an interrupt's", () => {
  const read = collected(
    notifier(1, "reboot_notify", "d..1.") +
      notifier(2, "some_notify", "d.h1.") +
      call(3, "tick_probe", "d.h1.") +
      back(3.5, "tick_probe", "d.h1.") +
      call(4, "pci_device_shutdown") +
      back(5, "pci_device_shutdown"),
  );
  assert.deepEqual(spansOf(read), [
    ["notifier", "reboot_notify", 7, 3e9],
    ["function", "tick_probe", -1, 0.5e9],
    ["function", "pci_device_shutdown", 7, 1e9],
  ]);
});

test("a call in an interrupt does not take the return of the interrupted task's own call", () => {
  const read = collected(
    call(1, "pci_device_shutdown") +
      call(2, "tick_probe", "d.h1.") +
      back(3, "pci_device_shutdown") +
      back(4, "tick_probe", "d.h1."),
  );
  assert.deepEqual(spansOf(read), [
    ["function", "pci_device_shutdown", 7, 2e9],
    ["function", "tick_probe", -1, 2e9],
  ]);
});

test("KVM's notifier of each tick is left out even if the source does not record the context", () => {
  const text = notifier(1, "pvclock_gtod_notify", "").replace("  1.0", " 1.0") + call(2, "pci_device_shutdown");
  assert.deepEqual(
    spansOf(collected(text)).map((span) => (span as unknown[])[1]),
    ["pci_device_shutdown"],
  );
});
