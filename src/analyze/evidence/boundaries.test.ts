import assert from "node:assert/strict";
import test from "node:test";
import type { EventFields, KeyEvent } from "../../model/collected.js";
import { type Boundary, boundaryTable, EventIndex, type FoundBoundary, findBoundary } from "./boundaries.js";
import { luoDialect } from "./dialect.js";

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
  findBoundary(boundary, boundaryTable(undefined, luoDialect(events)), new EventIndex(events), wentOn);

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
  assert.equal(find("finish.end", anonymous).ns, null, "without an identity, first and second cannot be distinguished");
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

/** The design's dialects, each with one event for a boundary that it shows or bounds. */
const said = (name: string, ns: number, boot: "old" | "new" = "old"): KeyEvent =>
  event({ what: "printk", name, ns, boot, source: "printk" });
const asked = (name: string, cmd: number | null, ns: number, boot: "old" | "new", ret?: number): KeyEvent =>
  event({
    what: ret === undefined ? "syscall-enter" : "syscall-exit",
    name,
    ns,
    boot,
    source: "syscall",
    fields: fields({ ...(cmd === null ? {} : { cmd }), fd: 3, ...(ret === undefined ? {} : { ret }) }),
  });
const marked = (name: string, ns: number, boot: "old" | "new" = "old"): KeyEvent =>
  event({ what: "marker", name, ns, boot, source: "marker" });

test("syscalls alone show every boundary but the freeze's end", () => {
  const events = [
    asked("ioctl", 0xba00, 1, "old"),
    asked("ioctl", 0xba40, 2, "old"),
    asked("ioctl", 0xba40, 3, "old", 0),
    asked("reboot", 0x45584543, 5, "old"),
    asked("openat", null, 20, "new"),
    asked("ioctl", 0xba41, 21, "new"),
    asked("ioctl", 0xba41, 25, "new", 0),
    asked("ioctl", 0xba42, 30, "new"),
    asked("ioctl", 0xba42, 31, "new", 0),
  ];
  const at = (boundary: Boundary): number | null => find(boundary, events).ns;
  assert.deepEqual(
    (
      [
        "prepare.begin",
        "prepare.end",
        "freeze.begin",
        "freeze.end",
        "restore.begin",
        "restore.end",
        "finish.begin",
        "finish.end",
      ] as const
    ).map(at),
    [1, 3, 5, null, 20, 25, 30, 31],
  );
  assert.equal(find("restore.begin", [asked("openat", null, 9, "new", -2)]).ns, null);
});

test("markers alone show all but the freeze, which they bound from below", () => {
  const events = [
    marked("luo: prepare begin sessions=2", 1),
    marked("luo: preserve_fd end token=0x1", 3),
    marked("luo: kexec begin", 5),
    marked("luo: restore begin", 20, "new"),
    marked("luo: retrieve_fd end token=0x1", 25, "new"),
  ];
  assert.equal(find("prepare.begin", events).ns, 1);
  assert.equal(find("prepare.end", events).ns, 3);
  assert.deepEqual([find("freeze.begin", events).ns, find("freeze.begin", events).earliest], [null, 5]);
  assert.equal(find("restore.end", events).evidence?.confidence, "marker");
});

test("the 2025 series: states in dmesg, its functions, and its restore ioctl", () => {
  const states = [
    said("luo: Switched from [normal] to [prepared] state", 4),
    said("luo: Switched from [prepared] to [frozen] state", 9),
    said("luo: Switched from [updated] to [normal] state", 40, "new"),
  ];
  assert.deepEqual(
    (["prepare.end", "freeze.end", "finish.end"] as const).map((boundary) => find(boundary, states).ns),
    [4, 9, 40],
  );
  const freeze = find("freeze.begin", states);
  assert.deepEqual([freeze.ns, freeze.earliest, freeze.latest], [null, 4, 9]);
  const calls = [
    event({ what: "call", name: "luo_prepare", ns: 1 }),
    event({ what: "return", name: "luo_prepare", ns: 3, fields: fields({ ret: 0 }) }),
    event({ what: "call", name: "luo_freeze", ns: 6 }),
    event({ what: "return", name: "luo_freeze", ns: 8, fields: fields({ ret: 0 }) }),
    event({ what: "call", name: "luo_finish", ns: 38, boot: "new" }),
  ];
  assert.deepEqual(
    (["prepare.begin", "prepare.end", "freeze.begin", "freeze.end", "finish.begin"] as const).map(
      (boundary) => find(boundary, calls).ns,
    ),
    [1, 3, 6, 8, 38],
  );
  assert.equal(find("restore.end", [asked("ioctl", 0xba02, 30, "new", 0)]).ns, 30);
});

test("agents report after the fact: their messages bound, and show no boundary", () => {
  const shutdown = said("systemd-shutdown[1]: Preserved fd stores in LUO session 'systemd' for kexec.", 7);
  assert.deepEqual([find("prepare.end", [shutdown]).ns, find("prepare.end", [shutdown]).latest], [null, 7]);
  const luod = marked("[INFO] Found preserved session 'luod-internal'. Post-kexec restoration detected.", 22, "new");
  assert.deepEqual([find("restore.begin", [luod]).ns, find("restore.begin", [luod]).latest], [null, 22]);
});

test("dmesg alone bounds: no event of the old kernel is later than its last line, no restore before the hand-over", () => {
  const events = [said("kexec_core: Starting new kernel", 12), said("KHO: exec from: 7.2.13 (count 1)", 15, "new")];
  for (const boundary of ["prepare.begin", "prepare.end", "freeze.begin", "freeze.end"] as const) {
    assert.deepEqual([find(boundary, events).ns, find(boundary, events).latest], [null, 12], boundary);
  }
  assert.deepEqual([find("restore.begin", events).ns, find("restore.begin", events).earliest], [null, 15]);
});

test("a bound is as wide as its event's own ±", () => {
  const vague = {
    ...said("kexec_core: Starting new kernel", 100),
    at: { boot: "old" as const, ns: 100, uncertaintyNs: 30 },
  };
  assert.equal(find("freeze.end", [vague]).latest, 130);
});
