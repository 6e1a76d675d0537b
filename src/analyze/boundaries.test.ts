import assert from "node:assert/strict";
import test from "node:test";
import type { EventFields, KeyEvent } from "../collect/types.js";
import { type Boundary, boundaryTable, type FoundBoundary, findBoundary } from "./boundaries.js";

function event(
  part: Partial<KeyEvent> & Pick<KeyEvent, "what" | "name"> & { ns: number; boot?: "old" | "new" },
): KeyEvent {
  const { ns, boot, ...rest } = part;
  return {
    at: { boot: boot ?? "old", ns },
    source: "kprobe",
    fields: new Map(),
    cpu: 0,
    pid: 1,
    task: "t",
    file: "ring/trace",
    place: ns,
    ...rest,
  };
}
const fields = (values: Record<string, string | number>): EventFields => new Map(Object.entries(values));
const find = (boundary: Boundary, events: readonly KeyEvent[], wentOn = true): FoundBoundary =>
  findBoundary(boundary, boundaryTable(), events, wentOn);

test("the best evidence wins, whatever comes first in time", () => {
  const events = [
    event({ what: "syscall-enter", name: "reboot", ns: 10, source: "syscall", fields: fields({ cmd: 0x45584543 }) }),
    event({ what: "call", name: "liveupdate_reboot", ns: 14 }),
    event({ what: "call", name: "kernel_kexec", ns: 12 }),
  ];
  assert.equal(find("freeze.begin", events).ns, 12);
  assert.equal(find("freeze.begin", events.slice(0, 2)).ns, 14);
  assert.equal(find("freeze.begin", events.slice(0, 1)).evidence?.confidence, "syscall");
});

test("of two sources of one call the probe counts: it is recorded first and carries the arguments", () => {
  const events = [
    event({ what: "call", name: "kernel_kexec", ns: 12, source: "function-graph" }),
    event({ what: "call", name: "kernel_kexec", ns: 11 }),
  ];
  assert.equal(find("freeze.begin", events).ns, 11);
});

test("a return without a value ends the freeze only where what follows a success was seen", () => {
  const returned = event({ what: "return", name: "liveupdate_reboot", ns: 20, source: "function-graph" });
  assert.equal(find("freeze.end", [returned], true).ns, 20);
  assert.equal(find("freeze.end", [returned], false).ns, null);
  const refused = event({ what: "return", name: "liveupdate_reboot", ns: 20, fields: fields({ ret: -16 }) });
  assert.equal(find("freeze.end", [refused], true).ns, null);
});

test("an unseen boundary is null with the earliest and the latest it can have been, never borrowed", () => {
  const events = [
    event({ what: "syscall-enter", name: "reboot", ns: 10, source: "syscall", fields: fields({ cmd: 0x45584543 }) }),
    event({ what: "call", name: "notifier_run", ns: 30 }),
    event({ what: "printk", name: "kexec_core: Starting new kernel", ns: 90, source: "printk" }),
  ];
  const found = find("freeze.end", events);
  assert.deepEqual([found.ns, found.earliest, found.latest], [null, 10, 30]);
  assert.deepEqual([find("freeze.end", []).earliest, find("freeze.end", []).latest], [null, null]);
});

test("finish is each session's first finish call; the one from closing its fd later is not", () => {
  const finish = (session: string, ns: number): KeyEvent =>
    event({ what: "return", name: "luo_file_finish", ns, boot: "new", fields: fields({ session }) });
  const events = [finish("a", 10), finish("b", 20), finish("a", 500), finish("b", 600)];
  assert.equal(find("finish.end", events).ns, 20);
  const anonymous = events.map((each) => ({ ...each, fields: new Map() }));
  assert.equal(find("finish.end", anonymous).ns, null, "without an identity first and second cannot be told apart");
});

test("marks match whole words: vm_pause with an identity does, vm_paused_early does not", () => {
  const mark = (name: string, ns: number): KeyEvent => event({ what: "marker", name, ns, source: "marker" });
  assert.equal(find("pause", [mark("luo: vm_paused_early", 5), mark("luo: vm_pause vm=7", 9)]).ns, 9);
});

test("every row of the table has a boundary's boot, and no boundary lacks a row that shows it", () => {
  const table = boundaryTable();
  for (const boundary of new Set(table.map((row) => row.boundary))) {
    assert.ok(table.some((row) => row.boundary === boundary && row.role === "at"));
  }
});
