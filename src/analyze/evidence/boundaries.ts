/**
 * The boundary table: from which event each boundary of a phase, and of the blackout, is read. Rows stand best
 * evidence first; one function reads them, so that a new dialect is rows, not code.
 *
 * A row's role says what its event shows: `at`, the boundary itself; `after`, that the boundary was not earlier;
 * `before`, that it was not later. The latter two only bound a boundary that no event shows: it stays null.
 */
import type { Boot } from "../../base/time.js";
import { type KeyEvent, VMMS } from "../../model/collected.js";
import { captured, type KernelLineId, matchedText } from "../../model/kernel-lines.js";
import type { Evidence } from "../../model/live-update.js";
import { FUNCTIONS, IOCTL, ioctlNumber, type LuoDialect, REBOOT_CMD_KEXEC } from "../../model/luo.js";
import { isMark, MARKS } from "../../model/marks.js";

const BOUNDARIES = [
  "pause",
  "prepare.begin",
  "prepare.end",
  "freeze.begin",
  "freeze.end",
  "restore.begin",
  "restore.end",
  "resume",
  "finish.begin",
  "finish.end",
] as const;
export type Boundary = (typeof BOUNDARIES)[number];

/** Conditions on an event that its name alone does not show. */
export type Condition =
  /** `ret` is 0. */
  | "succeeded"
  /** `ret` is recorded and is not 0. */
  | "failed"
  /** No `ret` is recorded, and what follows a success was seen: `kernel_restart_prepare`, or the new kernel. */
  | "went-on"
  /** It is not known to have failed: `ret` is not negative, if it is recorded. */
  | "not-failed"
  /** The event by itself is enough. */
  | "none";

/**
 * Which of several matching events: the first or the last; or `last-first`, the last of each session's first (a
 * session's finish is its first call: `luo_file_finish` runs again when a finished session's fd is closed). A session
 * is identified by the first of `session` and `fd` that the event has.
 */
export type Pick = "first" | "last" | "last-first";

export interface BoundaryRow {
  readonly boundary: Boundary;
  readonly role: "at" | "after" | "before";
  readonly boot: Boot;
  readonly what: KeyEvent["what"];
  /** The function or syscall; for marks what the text begins with (in the configured spelling); a kernel line's row. */
  readonly name: string;
  /** A line of the kernel's log, of this row and with these captures: in the log, or in a mark. */
  readonly line?: { readonly id: KernelLineId; readonly values?: Readonly<Record<string, string>> };
  /** ioctl or reboot command, for syscalls. */
  readonly cmd?: number;
  readonly condition: Condition;
  readonly pick: Pick;
  readonly confidence: Evidence["confidence"];
}

/** How the workload spells its marks; configurable, since every VMM has its own. */
export interface MarkSpelling {
  readonly pause: string;
  readonly resume: string;
}
export const DEFAULT_SPELLING: MarkSpelling = {
  pause: MARKS.pause.name,
  resume: MARKS.resume.name,
};

type Row = Omit<BoundaryRow, "boundary" | "boot">;
const rows = (boundary: Boundary, boot: Boot, list: readonly Row[]): readonly BoundaryRow[] =>
  list.map((row) => ({ boundary, boot, ...row }));

const call = (name: string, pick: Pick = "first"): Row => ({
  role: "at",
  what: "call",
  name,
  condition: "none",
  pick,
  confidence: "probe",
});
const returned = (name: string, condition: Condition, pick: Pick = "last"): Row => ({
  role: "at",
  what: "return",
  name,
  condition,
  pick,
  confidence: "probe",
});
const entered = (name: string, cmd: number | undefined, pick: Pick = "first"): Row => ({
  role: "at",
  what: "syscall-enter",
  name,
  ...(cmd === undefined ? {} : { cmd }),
  condition: "none",
  pick,
  confidence: "syscall",
});
const left = (name: string, cmd: number | undefined, pick: Pick = "last"): Row => ({
  role: "at",
  what: "syscall-exit",
  name,
  ...(cmd === undefined ? {} : { cmd }),
  condition: "succeeded",
  pick,
  confidence: "syscall",
});
const mark = (name: string, pick: Pick): Row => ({
  role: "at",
  what: "marker",
  name,
  condition: "none",
  pick,
  confidence: "marker",
});
const printed = (id: KernelLineId, pick: Pick = "first", values: Readonly<Record<string, string>> = {}): Row => ({
  role: "at",
  what: "printk",
  name: id,
  line: { id, values },
  condition: "none",
  pick,
  confidence: "printk",
});
const switched = (from: string, to: string, pick: Pick = "first"): Row => printed("luo-switched", pick, { from, to });
const after = (row: Row): Row => ({ ...row, role: "after" });
const before = (row: Row): Row => ({ ...row, role: "before" });
/**
 * An agent's message about itself, in the kernel log or in a mark: it follows the event, and therefore only bounds it.
 */
const said = (id: KernelLineId): readonly Row[] =>
  (["printk", "marker"] as const).map((what) => before({ ...printed(id), what, confidence: "agent" }));

/** A message of an agent's own protocol, from its log. */
const heard = (name: string, pick: Pick): Row => ({
  role: "at",
  what: "message",
  name,
  condition: "none",
  pick,
  confidence: "agent",
});

/** What the old kernel does, in this order, once `liveupdate_reboot` has returned 0 (kernel/kexec_core.c). */
const PAST_FREEZE: readonly Row[] = [
  before(call(FUNCTIONS.restartPrepare.name)),
  before(call(FUNCTIONS.notifierRun.name, "last")),
  before(call(FUNCTIONS.deviceShutdown.name)),
  before(call(FUNCTIONS.migrateCpu.name)),
  before(call(FUNCTIONS.syscoreShutdown.name)),
  before(printed("kexec-start")),
  before(call(FUNCTIONS.machineKexec.name)),
];
const REBOOT_ENTERED = entered("reboot", REBOOT_CMD_KEXEC);
const TO_KEXEC_MARK = mark(`${MARKS.kexec.name} begin`, "last");
/** What comes after the last preserve, and so bounds a prepare that was not seen. */
const BEFORE_FREEZE: readonly Row[] = [
  ...said("fd-stores-preserved"),
  before(call(FUNCTIONS.kernelKexec.name, "last")),
  before({ ...REBOOT_ENTERED, pick: "last" }),
  ...PAST_FREEZE,
];

/** The table for a dialect of LUO: a number that means something else there, or nothing, has no row. */
export function boundaryTable(
  spelling: MarkSpelling = DEFAULT_SPELLING,
  dialect: LuoDialect = "sessions",
): readonly BoundaryRow[] {
  const ioctl = (make: (cmd: number) => Row, ...names: readonly string[]): readonly Row[] =>
    names.flatMap((name) => {
      const cmd = ioctlNumber(dialect, name);
      return cmd === null ? [] : [make(cmd)];
    });
  const ask = (cmd: number): Row => entered("ioctl", cmd);
  const answered = (cmd: number): Row => left("ioctl", cmd);
  /** Of the kernels with one state for the whole host. */
  const states = (...list: readonly Row[]): readonly Row[] => (dialect === "sessions" ? [] : list);
  return [
    ...rows("pause", "old", [mark(spelling.pause, "first"), ...VMMS.map((vmm) => heard(`${vmm} stopped`, "first"))]),
    ...rows("prepare.begin", "old", [
      call(FUNCTIONS.sessionCreate.name),
      call(FUNCTIONS.preserveFile.name),
      ...ioctl(ask, IOCTL.createSession, ...IOCTL.preserveFd),
      mark(`${MARKS.sessionCreate.name} begin`, "first"),
      ...states(call(FUNCTIONS.statePrepare.name), entered("SET_EVENT(prepare)", undefined)),
      mark(`${MARKS.prepare.name} begin`, "first"),
      heard("luod START_PRESERVATION", "first"),
      ...states(before(switched("normal", "prepared"))),
      ...BEFORE_FREEZE,
    ]),
    ...rows("prepare.end", "old", [
      // The state machine saves what was preserved in the prepare that follows.
      ...states(
        returned(FUNCTIONS.statePrepare.name, "succeeded"),
        returned(FUNCTIONS.statePrepare.name, "went-on"),
        left("SET_EVENT(prepare)", undefined),
      ),
      returned(FUNCTIONS.preserveFile.name, "succeeded"),
      returned(FUNCTIONS.preserveFile.name, "went-on"),
      ...(dialect === "states" ? [] : ioctl(answered, ...IOCTL.preserveFd)),
      mark(`${MARKS.preserveFd.name} end`, "last"),
      mark(`${MARKS.prepare.name} end`, "last"),
      heard("luod READY", "last"),
      ...states(switched("normal", "prepared", "last")),
      ...(dialect === "states" ? ioctl((cmd) => after(answered(cmd)), ...IOCTL.preserveFd) : []),
      ...BEFORE_FREEZE,
    ]),
    ...rows("freeze.begin", "old", [
      call(FUNCTIONS.kernelKexec.name, "last"),
      call(FUNCTIONS.liveupdateReboot.name, "last"),
      { ...REBOOT_ENTERED, pick: "last" },
      ...states(call(FUNCTIONS.stateFreeze.name, "last"), entered("SET_EVENT(freeze)", undefined, "last")),
      after(TO_KEXEC_MARK),
      ...states(after(switched("normal", "prepared", "last"))),
      before(call(FUNCTIONS.sessionSerialize.name)),
      ...states(before(call(FUNCTIONS.subsystemsFreeze.name, "last")), before(switched("prepared", "frozen"))),
      ...PAST_FREEZE,
    ]),
    ...rows("freeze.end", "old", [
      returned(FUNCTIONS.liveupdateReboot.name, "succeeded"),
      returned(FUNCTIONS.liveupdateReboot.name, "went-on"),
      ...states(
        returned(FUNCTIONS.stateFreeze.name, "succeeded"),
        returned(FUNCTIONS.stateFreeze.name, "went-on"),
        switched("prepared", "frozen", "last"),
      ),
      after(returned(FUNCTIONS.sessionSerialize.name, "succeeded")),
      after(call(FUNCTIONS.sessionSerialize.name, "last")),
      after(call(FUNCTIONS.kernelKexec.name, "last")),
      after(REBOOT_ENTERED),
      after(TO_KEXEC_MARK),
      ...PAST_FREEZE,
    ]),
    ...rows("restore.begin", "new", [
      call(FUNCTIONS.open.name),
      call(FUNCTIONS.sessionDeserialize.name),
      { ...entered("openat", undefined), condition: "not-failed" },
      mark(`${MARKS.restore.name} begin`, "first"),
      after(printed("luo-retrieved")),
      after(printed("kho-exec-from")),
      before(call(FUNCTIONS.sessionRetrieve.name)),
      ...ioctl((cmd) => before(ask(cmd)), IOCTL.retrieveSession, ...IOCTL.retrieveFd),
      ...said("luod-session-found"),
      // luod has opened the device before it answers its first client.
      before(heard("luod FOUND", "first")),
      before(heard("luod CLAIM", "first")),
    ]),
    ...rows("restore.end", "new", [
      returned(FUNCTIONS.retrieveFile.name, "succeeded"),
      returned(FUNCTIONS.retrieveFile.name, "went-on"),
      ...ioctl(answered, ...IOCTL.retrieveFd),
      mark(`${MARKS.retrieveFd.name} end`, "last"),
      mark(`${MARKS.restore.name} end`, "last"),
      // A client retrieves its fds from the session that its claim gives it.
      after(heard("luod CLAIM", "last")),
      after(returned(FUNCTIONS.sessionRetrieve.name, "succeeded")),
      before(call(FUNCTIONS.sessionFinish.name)),
      before(call(FUNCTIONS.fileFinish.name)),
      ...ioctl((cmd) => before(ask(cmd)), IOCTL.finish),
      ...states(before(call(FUNCTIONS.stateFinish.name)), before(entered("SET_EVENT(finish)", undefined))),
    ]),
    // In the old kernel only if the update was aborted and the VMs went on there.
    ...rows("resume", "new", [mark(spelling.resume, "last"), ...VMMS.map((vmm) => heard(`${vmm} resumed`, "last"))]),
    ...rows("resume", "old", [mark(spelling.resume, "last")]),
    ...rows("finish.begin", "new", [
      call(FUNCTIONS.sessionFinish.name),
      call(FUNCTIONS.fileFinish.name),
      ...ioctl(ask, IOCTL.finish),
      ...states(call(FUNCTIONS.stateFinish.name), entered("SET_EVENT(finish)", undefined)),
      mark(`${MARKS.sessionFinish.name} begin`, "first"),
      mark(`${MARKS.finish.name} begin`, "first"),
      ...states(before(switched("updated", "normal"))),
    ]),
    ...rows("finish.end", "new", [
      returned(FUNCTIONS.sessionFinish.name, "succeeded", "last-first"),
      returned(FUNCTIONS.sessionFinish.name, "went-on", "last-first"),
      returned(FUNCTIONS.fileFinish.name, "went-on", "last-first"),
      ...ioctl((cmd) => left("ioctl", cmd, "last-first"), IOCTL.finish),
      ...states(returned(FUNCTIONS.stateFinish.name, "succeeded"), left("SET_EVENT(finish)", undefined)),
      mark(`${MARKS.sessionFinish.name} end`, "last-first"),
      mark(`${MARKS.finish.name} end`, "last"),
      ...states(switched("updated", "normal", "last")),
    ]),
  ];
}

/**
 * A boundary as found. `ns` is on its boot's axis; if it is null, `earliest` and `latest` bound it (null:
 * unbounded).
 */
export interface FoundBoundary {
  readonly boundary: Boundary;
  readonly boot: Boot;
  readonly ns: number | null;
  readonly evidence: Evidence | null;
  readonly earliest: number | null;
  readonly latest: number | null;
  /** ± of the event's own place (Placed.uncertaintyNs). */
  readonly uncertaintyNs: number;
}

function describe(row: BoundaryRow, event: KeyEvent): string {
  switch (row.what) {
    case "call":
      return `${event.source} ${row.name} called`;
    case "return":
      return `${event.source} ${row.name} returned${event.fields.has("ret") ? ` ${event.fields.get("ret")}` : ""}`;
    case "syscall-enter":
      return `${row.name}${row.cmd === undefined ? "" : `(0x${row.cmd.toString(16)})`} entered`;
    case "syscall-exit":
      return `${row.name}${row.cmd === undefined ? "" : `(0x${row.cmd.toString(16)})`} returned ${event.fields.get("ret")}`;
    case "marker":
      return `marker '${row.name}'`;
    case "message": {
      const logged = event.fields.get("event");
      return logged === undefined ? `${row.name} said` : `${row.name}: ${logged}`;
    }
    case "printk":
      return `printk '${row.line === undefined ? row.name : matchedText(row.line.id, event.name)}'`;
  }
}

function returnValue(event: KeyEvent): number | null {
  const ret = event.fields.get("ret");
  return ret === undefined ? null : Number(ret);
}

function holds(condition: Condition, event: KeyEvent, wentOn: boolean): boolean {
  const ret = returnValue(event);
  switch (condition) {
    case "none":
      return true;
    case "succeeded":
      return ret === 0;
    case "failed":
      return ret !== null && ret !== 0;
    case "not-failed":
      return ret === null || ret >= 0;
    case "went-on":
      return ret === null && wentOn;
  }
}

function named(row: BoundaryRow, event: KeyEvent): boolean {
  if (row.line !== undefined) {
    const found: Readonly<Record<string, string | undefined>> | null = captured(row.line.id, event.name);
    return found !== null && Object.entries(row.line.values ?? {}).every(([name, value]) => found[name] === value);
  }
  return row.what === "marker" ? isMark(event.name, row.name) : event.name === row.name;
}

function matches(row: BoundaryRow, event: KeyEvent, wentOn: boolean): boolean {
  if (event.at.boot !== row.boot || event.what !== row.what || !named(row, event)) return false;
  if (row.cmd !== undefined && Number(event.fields.get("cmd") ?? Number.NaN) !== row.cmd) return false;
  return holds(row.condition, event, wentOn);
}

function pickOf(row: BoundaryRow, events: readonly KeyEvent[]): KeyEvent | undefined {
  switch (row.pick) {
    case "first":
      return events[0];
    case "last":
      return events.at(-1);
    case "last-first": {
      const first = new Map<string, KeyEvent>();
      for (const event of events) {
        const session = event.fields.get("session") ?? event.fields.get("fd");
        // Without an identity, two sessions' first calls look like one session's first and second.
        if (session === undefined) return undefined;
        if (!first.has(String(session))) first.set(String(session), event);
      }
      return [...first.values()].at(-1);
    }
  }
}

/** Key events by what they are, so that a row of the table looks at no others. Order stays. */
export class EventIndex {
  readonly #groups = new Map<string, KeyEvent[]>();

  constructor(events: readonly KeyEvent[]) {
    for (const event of events) {
      const kind = `${event.at.boot} ${event.what}`;
      // Marks and lines are recognised by patterns, all others by their whole name.
      const key = BY_PATTERN.has(event.what) ? kind : `${kind} ${event.name}`;
      const group = this.#groups.get(key);
      if (group === undefined) this.#groups.set(key, [event]);
      else group.push(event);
    }
  }

  /** The events that the row may match. */
  candidates({ boot, what, name }: BoundaryRow): readonly KeyEvent[] {
    return this.#groups.get(BY_PATTERN.has(what) ? `${boot} ${what}` : `${boot} ${what} ${name}`) ?? [];
  }
}

const BY_PATTERN: ReadonlySet<KeyEvent["what"]> = new Set(["marker", "printk"] as const);

/**
 * Reads one boundary from the table. `wentOn`: something that only follows a successful freeze was seen. Probes beat
 * function graph within a row because they are recorded first and carry the arguments; rows are tried in order.
 */
export function findBoundary(
  boundary: Boundary,
  table: readonly BoundaryRow[],
  events: EventIndex,
  wentOn: boolean,
): FoundBoundary {
  const own = table.filter((row) => row.boundary === boundary);
  const boot = own[0]?.boot ?? "old";
  let earliest: number | null = null;
  let latest: number | null = null;
  for (const row of own) {
    const matching = events.candidates(row).filter((event) => matches(row, event, wentOn));
    const probes = matching.filter((event) => event.source !== "function-graph");
    const event = pickOf(row, probes.length > 0 ? probes : matching);
    if (event === undefined) continue;
    switch (row.role) {
      case "at":
        return {
          boundary,
          boot: row.boot,
          ns: event.at.ns,
          earliest: event.at.ns,
          latest: event.at.ns,
          uncertaintyNs: event.at.uncertaintyNs ?? 0,
          evidence: { event: describe(row, event), confidence: row.confidence, file: event.file, place: event.place },
        };
      case "after":
        earliest = Math.max(earliest ?? Number.NEGATIVE_INFINITY, event.at.ns - (event.at.uncertaintyNs ?? 0));
        break;
      case "before":
        latest = Math.min(latest ?? Number.POSITIVE_INFINITY, event.at.ns + (event.at.uncertaintyNs ?? 0));
        break;
    }
  }
  return { boundary, boot, ns: null, evidence: null, earliest, latest, uncertaintyNs: 0 };
}
