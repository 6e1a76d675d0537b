import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import type { KeyEvent } from "../../model/collected.js";
import type { PhaseName } from "../../model/live-update.js";
import { LUO_IOCTLS } from "../../model/luo.js";
import {
  callLine,
  madeCapture,
  markLine,
  memoryCapture,
  returnLine,
  traceLine,
} from "../../testing/fakes/capture-memory.js";
import { updateOfCapture } from "../../testing/samples/captures.js";
import { luoDialect, namedStateEvents, stateEvent, withoutCancelled } from "./dialect.js";

function event(
  what: KeyEvent["what"],
  name: string,
  ns: number,
  more: Partial<KeyEvent> & { cmd?: number } = {},
): KeyEvent {
  const { cmd, ...rest } = more;
  return {
    at: { boot: "old", ns },
    what,
    name,
    fields: new Map(cmd === undefined ? [] : [["cmd", cmd]]),
    source: "kprobe",
    cpu: 0,
    pid: what === "printk" ? -1 : 7,
    task: "vmm",
    file: "ring/trace",
    place: ns,
    ...rest,
  };
}
const ioctl = (cmd: number, ns: number, pid = 7): KeyEvent => event("syscall-enter", "ioctl", ns, { cmd, pid });
const done = (cmd: number, ns: number, pid = 7): KeyEvent =>
  event("syscall-exit", "ioctl", ns, {
    pid,
    fields: new Map([
      ["cmd", cmd],
      ["ret", 0],
    ]),
  });

test("a dialect is recognized by what only it has; shared numbers do not count", () => {
  const state = event("printk", "luo: Switched from [normal] to [prepared] state", 5);
  const create = event("call", "luo_session_create", 3);
  assert.equal(luoDialect([]), "sessions");
  assert.equal(luoDialect([ioctl(0xba00, 1), ioctl(0xba01, 2)]), "sessions");
  assert.equal(luoDialect([ioctl(0xba00, 1), state]), "states");
  assert.equal(luoDialect([ioctl(0xba00, 1), event("call", "luo_do_subsystems_freeze_calls", 2)]), "states");
  assert.equal(luoDialect([ioctl(0xba04, 1)]), "states");
  assert.equal(luoDialect([state, create]), "states-and-sessions");
  assert.equal(luoDialect([ioctl(0xba02, 1), ioctl(0xba40, 2)]), "states-and-sessions");
  assert.equal(luoDialect([create, ioctl(0xba42, 2)]), "sessions");
});

test("one number, three meanings: each dialect has its own", () => {
  const names = (cmd: number) =>
    (["sessions", "states", "states-and-sessions"] as const).map((each) => LUO_IOCTLS[each].get(cmd)?.name ?? null);
  assert.deepEqual(names(0xba00), [
    "LIVEUPDATE_IOCTL_CREATE_SESSION",
    "LIVEUPDATE_IOCTL_FD_PRESERVE",
    "LIVEUPDATE_IOCTL_GET_STATE",
  ]);
  assert.deepEqual(names(0xba42), ["LIVEUPDATE_SESSION_FINISH", null, "LIVEUPDATE_SESSION_RESTORE_FD"]);
});

test("transitions by the event that makes them", () => {
  const line = (from: string, to: string) => stateEvent(`luo: Switched from [${from}] to [${to}] state`);
  assert.deepEqual(
    [
      line("normal", "prepared"),
      line("prepared", "frozen"),
      line("updated", "normal"),
      line("prepared", "normal"),
      line("frozen", "normal"),
    ],
    ["prepare", "freeze", "finish", "cancel", "cancel"],
  );
  assert.deepEqual([line("normal", "updated"), stateEvent("luo: Switched")], [null, null]);
});

test("SET_EVENT is named by the line inside it; where two are open, by none", () => {
  const state = event("printk", "luo: Switched from [normal] to [prepared] state", 5);
  const names = (events: readonly KeyEvent[]) => namedStateEvents(events, "states").map(({ name }) => name);
  const call = [ioctl(0xba04, 1), state, done(0xba04, 9)];
  assert.deepEqual(names(call), ["SET_EVENT(prepare)", state.name, "SET_EVENT(prepare)"]);
  const two = [ioctl(0xba04, 1), ioctl(0xba04, 2, 8), state, done(0xba04, 9), done(0xba04, 10, 8)];
  assert.deepEqual(
    names(two).filter((name) => name.startsWith("SET")),
    [],
  );
  const own = [
    ioctl(0xba04, 1),
    ioctl(0xba04, 2, 8),
    event("call", "luo_finish", 3, { pid: 8 }),
    done(0xba04, 9),
    done(0xba04, 10, 8),
  ];
  assert.deepEqual(names(own), ["ioctl", "SET_EVENT(finish)", "luo_finish", "ioctl", "SET_EVENT(finish)"]);
  assert.deepEqual(namedStateEvents(call, "sessions"), call);
});

test("whatever the events: naming and leaving out a cancelled attempt keep order and invent nothing", () => {
  const any = fc.oneof(
    fc
      .constantFrom(...["normal] to [prepared", "prepared] to [frozen", "prepared] to [normal"])
      .map((what) => event("printk", `luo: Switched from [${what}] state`, 0)),
    fc
      .tuple(fc.integer({ min: 0xba00, max: 0xba06 }), fc.boolean(), fc.integer({ min: 1, max: 3 }))
      .map(([cmd, enter, pid]) => (enter ? ioctl(cmd, 0, pid) : done(cmd, 0, pid))),
    fc.constantFrom("luo_prepare", "luo_cancel", "luo_freeze").map((name) => event("call", name, 0)),
    fc.constant(event("marker", "luo: vm_pause", 0)),
  );
  fc.assert(
    fc.property(fc.array(any, { maxLength: 30 }), (list) => {
      const events = list.map((each, i) => ({ ...each, at: { boot: "old" as const, ns: i } }));
      const named = namedStateEvents(events, "states");
      assert.deepEqual(
        named.map(({ at }) => at.ns),
        events.map(({ at }) => at.ns),
      );
      const kept = withoutCancelled(events);
      assert.ok(kept.every((each) => events.includes(each as (typeof events)[number])));
      assert.equal(
        kept.filter(({ what }) => what === "marker").length,
        events.filter(({ what }) => what === "marker").length,
      );
    }),
  );
});

const console_ = (seconds: number, text: string): string => traceLine(seconds, `console: ${text}`);
const syscall = (seconds: number, name: string, fields: string): string =>
  traceLine(seconds, `sys_${name}(${fields})`, "luoctl-7");
const returned = (seconds: number, name: string, ret = 0): string =>
  traceLine(seconds, `sys_${name} -> 0x${ret.toString(16)}`, "luoctl-7");
const setEvent = (from: number, line: string): string =>
  syscall(from, "ioctl", "fd: 3, cmd: 0xba04, arg: 7ffe") + console_(from + 0.05, line) + returned(from + 0.1, "ioctl");
const clock = (monotonic: number, second: number): string =>
  markLine(monotonic, `clock: realtime=17954317${second}.000000000 monotonic=${monotonic}.000000000`);

test("an update of the 2025 series: phases from its ioctls, its state lines and its functions", () => {
  const old = [
    clock(1, 40),
    syscall(2, "ioctl", "fd: 3, cmd: 0xba00, arg: 7ffe"),
    returned(2.2, "ioctl"),
    setEvent(3, "luo: Switched from [normal] to [prepared] state"),
    callLine(4, "kernel_kexec"),
    callLine(4.01, "luo_do_subsystems_freeze_calls"),
    callLine(4.02, "luo_files_freeze_one", "token=0x10"),
    returnLine(4.03, "luo_files_freeze_one", 0),
    returnLine(4.04, "luo_do_subsystems_freeze_calls", 0),
    console_(4.05, "luo: Switched from [prepared] to [frozen] state"),
    callLine(4.2, "machine_kexec"),
  ].join("");
  const fresh = [
    clock(1, 50),
    syscall(2, "ioctl", "fd: 3, cmd: 0xba02, arg: 7ffe"),
    returned(2.5, "ioctl"),
    setEvent(3, "luo: Switched from [updated] to [normal] state"),
  ].join("");
  const { update } = updateOfCapture(memoryCapture(madeCapture({ old: { trace: old }, new: { trace: fresh } })));
  const phase = (name: PhaseName) => update.document.phases.find((each) => each.name === name);
  assert.deepEqual(
    (["prepare", "freeze", "restore", "finish"] as const).map((name) => [
      name,
      phase(name)?.evidence.begin?.event ?? null,
      phase(name)?.evidence.end?.event ?? null,
    ]),
    [
      ["prepare", "ioctl(0xba00) entered", "SET_EVENT(prepare) returned 0"],
      ["freeze", "kprobe kernel_kexec called", "printk 'luo: Switched from [prepared] to [frozen] state'"],
      ["restore", null, "ioctl(0xba02) returned 0"],
      ["finish", "SET_EVENT(finish) entered", "SET_EVENT(finish) returned 0"],
    ],
  );
  assert.deepEqual(
    [phase("prepare")?.durationNs, phase("freeze")?.durationNs, phase("finish")?.durationNs],
    [1_100_000_000, 50_000_000, 100_000_000],
  );
  assert.ok(update.spans.strings.includes("ioctl LIVEUPDATE_IOCTL_FD_RESTORE"));
  assert.ok(update.spans.strings.includes("luo 0x10"), "a file of the host's one set");
});

test("a cancelled prepare is not part of the update that followed, and ends one that did not", () => {
  const first =
    setEvent(2, "luo: Switched from [normal] to [prepared] state") +
    setEvent(3, "luo: Switched from [prepared] to [normal] state");
  const second = setEvent(5, "luo: Switched from [normal] to [prepared] state") + callLine(6, "kernel_kexec");
  const fresh = clock(1, 50) + setEvent(3, "luo: Switched from [updated] to [normal] state");
  const gone = updateOfCapture(
    memoryCapture(madeCapture({ old: { trace: clock(1, 40) + first + second }, new: { trace: fresh } })),
  ).update;
  const prepare = gone.document.phases.find(({ name }) => name === "prepare");
  assert.deepEqual([prepare?.durationNs, prepare?.evidence.begin?.event], [100_000_000, "SET_EVENT(prepare) entered"]);
  const stayed = updateOfCapture(memoryCapture(madeCapture({ old: { trace: clock(1, 40) + first } }))).update;
  assert.deepEqual(
    [stayed.document.outcome, stayed.document.outcomeReason.slice(0, 80)],
    ["aborted", "The update was cancelled: 'luo: Switched from [prepared] to [normal] state' (rin"],
  );
});
