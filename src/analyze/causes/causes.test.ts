import assert from "node:assert/strict";
import { test } from "node:test";
import { SPAN_KINDS, type Span, spanAt } from "../../model/span-table.js";
import { callLine, madeCapture, memoryCapture, returnLine, traceLine } from "../../testing/fakes/capture-memory.js";
import { updateOfCapture } from "../../testing/samples/captures.js";

/** What is armed in which order: each call's records in the order in which its tracers see it. */
type Arming = "probes only" | "probes first" | "graph first";

/** Builds a trace call by call, a microsecond for each record. */
class Trace {
  text = "";
  #us: number;
  readonly #arming: Arming;

  constructor(arming: Arming, seconds: number) {
    this.#arming = arming;
    this.#us = seconds * 1e6;
  }

  line(event: string): void {
    this.text += traceLine(this.#us++ / 1e6, event);
  }

  call(name: string, fields: string, inner: () => void = () => {}): void {
    const probe = (): void => {
      this.text += callLine(this.#us++ / 1e6, name, fields);
    };
    const graph = (): void => {
      if (this.#arming !== "probes only") this.line(`${name}() {`);
    };
    const [first, second] = this.#arming === "graph first" ? [graph, probe] : [probe, graph];
    first();
    second();
    inner();
    this.text += returnLine(this.#us++ / 1e6, name, 0);
    if (this.#arming !== "probes only") this.line("}");
  }
}

const DATA = { first: "0x48c0000", second: "0x48bf000" };

/** An update of one session with two files of a handler of that name, and two devices. */
function updateWith(arming: Arming, handler = "memfd_luo", compat = "memfd-v2") {
  const old = new Trace(arming, 4);
  const args = `compat="${compat}"`;
  old.call("luo_session_create", 'session="vm-1"');
  for (const token of ["0x100", "0x101"]) {
    old.call("luo_preserve_file", `session="vm-1" token=${token} fd=9`, () => old.call(`${handler}_preserve`, args));
  }
  old.line("tracing_mark_write: luo: vm_pause");
  old.call("liveupdate_reboot", "", () =>
    old.call("luo_file_freeze", 'session="vm-1"', () => {
      old.call(`${handler}_freeze`, `${args} data=${DATA.first}`);
      old.call(`${handler}_freeze`, `${args} data=${DATA.second}`);
    }),
  );
  old.call("device_shutdown", "", () => {
    old.call("pci_device_shutdown", 'dev="0000:00:04.0"');
    old.call("pci_device_shutdown", 'dev="0000:00:05.0"');
  });
  const fresh = new Trace(arming, 1);
  fresh.call("luo_open", "");
  fresh.call("luo_retrieve_file", 'session="vm-1" token=0x100', () =>
    fresh.call(`${handler}_retrieve`, `${args} data=${DATA.first}`, () =>
      // A file that its handler needs is retrieved inside it, without a token of its own.
      fresh.call("other_retrieve", `compat="other-v1" data=${DATA.second}`),
    ),
  );
  fresh.line("tracing_mark_write: luo: vm_resume");
  const files = madeCapture({ old: { trace: old.text }, new: { trace: fresh.text } });
  return updateOfCapture(memoryCapture(files)).update;
}

const causesOf = (arming: Arming, handler?: string, compat?: string): readonly Span[] => {
  const { spans } = updateWith(arming, handler, compat);
  const wanted = new Set(["file", "session", "device"].map((kind) => SPAN_KINDS.indexOf(kind as Span["kind"])));
  return Array.from({ length: spans.count }, (_, row) => row)
    .filter((row) => wanted.has(spans.kind[row] as number))
    .map((row) => spanAt(spans, row));
};
const named = (spans: readonly Span[]): readonly string[] =>
  spans.map(({ kind, id, action }) => `${kind} ${id}: ${action}`);

const EXPECTED = [
  "session vm-1: create",
  "file vm-1 0x100: preserve",
  "file vm-1 0x101: preserve",
  "session vm-1: freeze",
  "file vm-1 0x100: freeze",
  "file vm-1 0x101: freeze",
  "device 0000:00:04.0: shutdown",
  "device 0000:00:05.0: shutdown",
  "file vm-1 0x100: retrieve",
  "file vm-1 0x101: retrieve",
];

test("sessions, files and devices have their names whichever tracer saw a call first", () => {
  for (const arming of ["probes only", "probes first", "graph first"] as const) {
    assert.deepEqual(named(causesOf(arming)), EXPECTED, arming);
  }
});

test("a call that two tracers saw is one cause with both as evidence, and the probe's times", () => {
  const shutdown = causesOf("graph first").find(({ id }) => id === "0000:00:04.0");
  assert.equal(shutdown?.evidence, "kprobe + function graph");
  assert.match(shutdown?.detail ?? "", /dev=0000:00:04\.0/);
});

test("a file handler is known by its place and its compat, whatever its functions are called", () => {
  for (const handler of ["vfio_pci_liveupdate", "hugemfd", "kvm_gmem_luo", "my_driver"]) {
    for (const arming of ["probes only", "probes first", "graph first"] as const) {
      assert.deepEqual(named(causesOf(arming, handler, "some-v3")), EXPECTED, `${handler}, ${arming}`);
    }
    const { sessions } = updateWith("probes only", handler, "some-v3");
    assert.deepEqual(
      sessions[0]?.files.map((file) => [file.token, file.handler, file.serializedData]),
      [
        ["0x100", "some-v3", DATA.first],
        ["0x101", "some-v3", DATA.second],
      ],
    );
    for (const file of sessions[0]?.files ?? []) {
      assert.notEqual(file.freezeNs, null);
      assert.notEqual(file.retrieveNs, null);
    }
  }
});

test("a file retrieved inside another file's retrieve is a child of it", () => {
  const { spans } = updateWith("probes only");
  const row = (id: string): number =>
    Array.from({ length: spans.count }, (_, each) => each).find(
      (each) => spanAt(spans, each).id === id && spanAt(spans, each).action === "retrieve",
    ) ?? -1;
  assert.equal(spans.parent[row("vm-1 0x101")], row("vm-1 0x100"));
});

test("a handler whose place was not recorded is a function of its name, not a device of that name", () => {
  const old = new Trace("probes only", 4);
  old.call("vfio_pci_liveupdate_freeze", "");
  old.line("tracing_mark_write: luo: vm_pause");
  const { spans } = updateOfCapture(memoryCapture(madeCapture({ old: { trace: old.text } }))).update;
  const span = spanAt(spans, 0);
  assert.deepEqual([span.kind, span.id], ["function", "vfio_pci_liveupdate_freeze"]);
});
