/**
 * Sessions that an agent made and then gave up before the kexec: it closed them or died, and the kernel unpreserved
 * their files (kernel/liveupdate/luo_session.c, luo_session_release). Their cost is not part of the update's prepare.
 */
import type { KeyEvent, Placed } from "../../model/collected.js";
import { FUNCTIONS, functionRow, tokenText } from "../../model/luo.js";
import { type Call, callsOf } from "./calls.js";

/** One session from its creation to its end in the old kernel. */
export interface AbandonedLife {
  readonly session: string;
  readonly pid: number;
  readonly task: string;
  readonly begin: Placed;
  readonly end: Placed;
  /** Union of its calls, in nanoseconds. */
  readonly workNs: number;
  /** Files that had been preserved. */
  readonly files: number;
  /** What shows that it was given up. */
  readonly evidence: string;
  readonly events: ReadonlySet<KeyEvent>;
}

/** Functions that undo a session in the old kernel; both are called from the release of its fd. */
const UNDOES: ReadonlySet<string> = new Set([FUNCTIONS.fileUnpreserve.name, FUNCTIONS.sessionRelease.name]);
/** What luod reports if the client that a session belongs to goes away, and what a client that stays says last. */
const DISCONNECTED = "luod DISCONNECTED";
const READY = "luod READY";

const sessionOf = ({ fields }: { readonly fields: KeyEvent["fields"] }): string | null => {
  const session = fields.get("session");
  return session === undefined || session === "" ? null : String(session);
};

const REBOOT_CALLS: ReadonlySet<string> = new Set([FUNCTIONS.kernelKexec.name, FUNCTIONS.liveupdateReboot.name]);
const isReboot = ({ what, name }: KeyEvent): boolean =>
  (what === "call" && REBOOT_CALLS.has(name)) || (what === "syscall-enter" && name === "reboot");

/** When each session was given up, and by what evidence; the last time counts. */
function endsOf(events: readonly KeyEvent[], calls: readonly Call[]): ReadonlyMap<string, { at: Placed; by: string }> {
  const ends = new Map<string, { at: Placed; by: string }>();
  // What is closed after the kexec was tried is closed because it was refused.
  const tried =
    events.findLast((event) => event.at.boot === "old" && isReboot(event))?.at.ns ?? Number.POSITIVE_INFINITY;
  for (const call of calls) {
    const session = sessionOf(call);
    if (call.begin.boot !== "old" || session === null || !UNDOES.has(call.name) || call.begin.ns > tried) continue;
    ends.set(session, { at: call.end ?? call.begin, by: `${call.source} ${call.name}` });
  }
  const ready = new Set<string>();
  for (const event of events) {
    const session = sessionOf(event);
    if (event.at.boot !== "old" || session === null || event.at.ns > tried) continue;
    if (event.name === READY) ready.add(session);
    // A client that reported READY may disconnect: its session stays with luod. One that did not had not finished.
    else if (event.name === DISCONNECTED && !ready.has(session)) ends.set(session, { at: event.at, by: event.name });
  }
  return ends;
}

/** A call of the update's own, which no session's end undoes. */
const isHosts = (name: string): boolean => {
  const role = functionRow(name)?.role;
  return role === "reboot" || role === "load" || name === "reboot";
};

/** The abandoned sessions, by begin. A session that is frozen later, or returns in the new kernel, is not abandoned. */
export function abandonedLives(events: readonly KeyEvent[]): readonly AbandonedLife[] {
  const calls = callsOf(events);
  const ends = endsOf(events, calls);
  if (ends.size === 0) return [];
  const own = new Map<string, Call[]>([...ends.keys()].map((session) => [session, []]));
  const survivors = new Set<string>();
  for (const call of calls) {
    const session = sessionOf(call);
    const end = session === null ? undefined : ends.get(session);
    if (session === null || end === undefined) continue;
    if (call.begin.boot === "old" && call.begin.ns <= end.at.ns) own.get(session)?.push(call);
    // luod's word is not the kernel's: what was carried over was not abandoned.
    else if (end.by === DISCONNECTED) survivors.add(session);
  }
  return [...own]
    .filter(([session]) => !survivors.has(session))
    .flatMap(([session, list]) => lifeOf(session, list, ends.get(session) as { at: Placed; by: string }, events, calls))
    .sort((a, b) => a.begin.ns - b.begin.ns);
}

function lifeOf(
  session: string,
  own: readonly Call[],
  end: { readonly at: Placed; readonly by: string },
  events: readonly KeyEvent[],
  calls: readonly Call[],
): readonly AbandonedLife[] {
  const first = own[0];
  if (first === undefined) return [];
  const spans = new Set(own.map(({ span }) => span));
  const whole = own.map((call) => ({ call, from: call.begin.ns, to: (call.end ?? call.begin).ns }));
  for (const { begin, end: to, pid, span, name } of calls) {
    if (begin.boot !== "old" || isHosts(name)) continue;
    const until = (to ?? begin).ns;
    const beside = whole.some(
      (each) =>
        each.call.pid === pid &&
        ((begin.ns >= each.from && until <= each.to) || (begin.ns <= each.from && until >= each.to)),
    );
    if (beside) spans.add(span);
  }
  const tokens = new Set(own.flatMap(({ fields }) => tokenText(fields.get("token")) ?? []));
  const belongs = (event: KeyEvent): boolean =>
    event.at.boot === "old" &&
    event.at.ns <= end.at.ns &&
    (sessionOf(event) === session || (event.span !== undefined && spans.has(event.span)));
  const mine = events.filter(belongs);
  const begin = mine[0]?.at ?? first.begin;
  return [
    {
      session,
      pid: first.pid,
      task: mine.find(({ pid }) => pid === first.pid)?.task ?? "",
      begin,
      end: end.at,
      workNs: unionNs(whole),
      files: tokens.size,
      evidence: end.by,
      events: new Set(mine),
    },
  ];
}

/** Length of what the intervals cover. */
export function unionNs(intervals: readonly { readonly from: number; readonly to: number }[]): number {
  let total = 0;
  let at = Number.NEGATIVE_INFINITY;
  for (const { from, to } of [...intervals].sort((a, b) => a.from - b.from)) {
    const begin = Math.max(at, from);
    if (to <= begin) continue;
    total += to - begin;
    at = to;
  }
  return total;
}

/** The events of the update itself: those of abandoned sessions are left out. */
export function withoutAbandoned(events: readonly KeyEvent[], lives: readonly AbandonedLife[]): readonly KeyEvent[] {
  return lives.length === 0 ? events : events.filter((event) => !lives.some((life) => life.events.has(event)));
}
