/** Sessions and their files, joined over the kexec by session name, by token, and by the handler's serialized data. */

import { errnoName, errnoOf } from "../../base/numbers/errno.js";
import { firstIndexWhere } from "../../base/numbers/search.js";
import type { AgentClient, AgentFacts, KeyEvent } from "../../model/collected.js";
import type { FileState, SessionState } from "../../model/documents/sessions.js";
import {
  type FileDocument,
  PHASES,
  type PhaseName,
  type SessionDocument,
  type SessionPhase,
} from "../../model/live-update.js";
import { FUNCTIONS, functionRow, tokenText } from "../../model/luo.js";
import { deedOf, markRow } from "../../model/marks.js";
import type { Axis, Zero } from "../evidence/axis.js";
import { type Call, callsOf } from "../evidence/calls.js";

interface FileRow {
  readonly token: string;
  handler: string | null;
  data: string | null;
  bytes: number | null;
  preserve: Call | null;
  freeze: Call | null;
  retrieve: Call | null;
  /** Spans of its handler's calls, and what they did. */
  readonly handled: { readonly span: number; readonly action: string }[];
}

/** A session as its calls show it. */
export interface SessionRow {
  readonly name: string;
  readonly files: Map<string, FileRow>;
  readonly calls: Map<PhaseName, Call[]>;
}

/** Finds the calls of `inner` that begin inside a call of the same task. */
function callsWithin(inner: readonly Call[]): (outer: Call) => readonly Call[] {
  const byTask = new Map<string, Call[]>();
  for (const call of inner) {
    const task = `${call.begin.boot} ${call.pid}`;
    const list = byTask.get(task);
    if (list === undefined) byTask.set(task, [call]);
    else list.push(call);
  }
  for (const list of byTask.values()) list.sort((a, b) => a.begin.ns - b.begin.ns);
  return (outer) => {
    if (outer.end === null) return [];
    const list = byTask.get(`${outer.begin.boot} ${outer.pid}`) ?? [];
    const first = (ns: number): number => firstIndexWhere(list, ({ begin }) => begin.ns >= ns);
    return list.slice(first(outer.begin.ns), first(outer.end.ns + 1));
  };
}

/** Sessions by name, in the order they were first seen. */
export type SessionRows = ReadonlyMap<string, SessionRow>;

/** Sessions by name, files by token; instants are relative to `zero`. */
export function sessionDocuments(rows: SessionRows, axis: Axis, zero: Zero): readonly SessionDocument[] {
  const newBootSeen = newBootSeenIn(rows);
  return [...rows.values()].map((session) => ({
    name: session.name,
    phases: PHASES.flatMap((phase) => sessionPhase(phase, session, axis, zero)),
    files: [...session.files.values()].map((file) => fileDocument(file, session, newBootSeen, axis)),
  }));
}

/** What systemd calls a file, by `session token`: the identity of its causes. */
export function storedNames(
  agents: AgentFacts,
): ReadonlyMap<string, { readonly unit: string; readonly fdName: string }> {
  return new Map(
    agents.fds.map(({ session, token, unit, fdName }) => [`${session} ${tokenText(token)}`, { unit, fdName }]),
  );
}

/**
 * Sessions with owners, fds and data: what `sessionDocuments` has, and what agents report about them. Sessions that
 * only agents report come last.
 */
export function sessionStates(
  seen: SessionRows,
  events: readonly KeyEvent[],
  axis: Axis,
  zero: Zero,
  agents: AgentFacts,
): readonly SessionState[] {
  const tasks = new Map(events.map((event) => [`${event.at.boot} ${event.pid}`, event.task]));
  const names = storedNames(agents);
  const rows = new Map(seen);
  for (const name of [...agents.fds, ...agents.sessions, ...agents.clients].map(({ session }) => session)) {
    if (!rows.has(name)) rows.set(name, { name, files: new Map(), calls: new Map() });
  }
  for (const { session, token } of agents.fds) {
    const row = rows.get(session) as SessionRow;
    const text = tokenText(token) as string;
    if (!row.files.has(text)) row.files.set(text, bareFile(text));
  }
  const stored = new Map(agents.sessions.toReversed().map((entry) => [entry.session, entry]));
  const clients = new Map<string, Pick<AgentClient, "boot" | "fd">[]>();
  for (const { session, boot, fd } of agents.clients) {
    const known = clients.get(session);
    if (known === undefined) clients.set(session, [{ boot, fd }]);
    else known.push({ boot, fd });
  }
  const newBootSeen = newBootSeenIn(rows);
  return [...rows.values()].map((session) => {
    const owners = new Map<string, SessionState["owners"][number]>();
    for (const call of [...session.calls.values()].flat()) {
      const key = `${call.begin.boot} ${call.pid}`;
      owners.set(key, { boot: call.begin.boot, pid: call.pid, task: tasks.get(key) ?? "" });
    }
    const integer = (call: Call | null, key: string): number | null => {
      const value = Number(call?.fields.get(key) ?? Number.NaN);
      return Number.isSafeInteger(value) ? value : null;
    };
    return {
      name: session.name,
      owners: [...owners.values()],
      unit: stored.get(session.name)?.unit ?? null,
      fdName: stored.get(session.name)?.fdName ?? null,
      clients: clients.get(session.name) ?? [],
      phases: PHASES.flatMap((phase) => sessionPhase(phase, session, axis, zero)),
      files: [...session.files.values()].map(
        (file): FileState => ({
          ...fileDocument(file, session, newBootSeen, axis),
          oldFd: integer(file.preserve, "fd"),
          newFd: integer(file.retrieve, "fd"),
          serializedData: file.data,
          folios: integer(file.preserve, "folios"),
          unit: names.get(`${session.name} ${file.token}`)?.unit ?? null,
          fdName: names.get(`${session.name} ${file.token}`)?.fdName ?? null,
        }),
      ),
    };
  });
}

/** The file that a handler's call was for, and what it did with it. */
export interface HandledFile {
  readonly session: string;
  readonly token: string;
  readonly action: string;
}

/** Which file each handler's call was for, by the row of its span. */
export function fileOfSpan(rows: SessionRows): ReadonlyMap<number, HandledFile> {
  const found = new Map<number, HandledFile>();
  for (const { name, files } of rows.values()) {
    for (const { token, handled } of files.values()) {
      for (const { span, action } of handled) found.set(span, { session: name, token, action });
    }
  }
  return found;
}

/** The kernels of 2025 kept the files of the whole host in one state machine: it stands as one session of this name. */
export const HOST_SESSION = "luo";
const isStateCall = (name: string): boolean => {
  const row = functionRow(name);
  return row?.kernels === "states" && row.phase !== null;
};

/** The sessions that key events show. */
export function sessionRows(events: readonly KeyEvent[]): SessionRows {
  const calls = callsOf(events);
  const named = calls.filter((call) => call.fields.has("session"));
  const probed = named.filter((call) => call.source === "kprobe" && functionRow(call.name)?.phase != null);
  // Marks contain less than probes and are placed less exactly: they count only in a capture without probes.
  const own = probed.length > 0 ? probed : named.filter((call) => markRow(call.name)?.phase != null);
  const states = calls.filter(({ name }) => isStateCall(name));
  const sessions = new Map<string, SessionRow>();
  for (const call of [...own, ...states]) {
    const name = isStateCall(call.name) ? HOST_SESSION : String(call.fields.get("session"));
    const session = sessions.get(name) ?? { name, files: new Map(), calls: new Map() };
    sessions.set(name, session);
    const phase = (functionRow(call.name) ?? markRow(call.name))?.phase as PhaseName;
    const list = session.calls.get(phase) ?? [];
    session.calls.set(phase, list);
    // A session's finish is its first finish call; the call from closing its fd later is not finish.
    if (phase !== "finish" || list.length === 0) list.push(call);
    noteFile(session, call);
  }
  noteHandlers(calls, own, sessions);
  noteMarkedBytes(calls, sessions);
  return sessions;
}

const bareFile = (token: string): FileRow => ({
  token,
  handler: null,
  data: null,
  bytes: null,
  preserve: null,
  freeze: null,
  retrieve: null,
  handled: [],
});

function noteFile(session: SessionRow, call: Call): void {
  const token = tokenText(call.fields.get("token"));
  if (token === null) return;
  const file = session.files.get(token) ?? bareFile(token);
  session.files.set(token, file);
  const deed = deedOf(call.name);
  if (deed?.of !== "file") return;
  // A second retrieve of a token only looks it up; the first that did not fail did the work.
  if (deed.action === "preserve" || deed.action === "prepare") file.preserve = workOf(file.preserve, call);
  else if (deed.action === "freeze") file.freeze ??= call;
  else if (deed.action === "retrieve") file.retrieve = workOf(file.retrieve, call);
}

function workOf(known: Call | null, call: Call): Call {
  return known === null || callErrno(known) !== null ? call : known;
}

/** The error that a call returned, from 1 to 4095; null if it returned none, or what it returned was not recorded. */
export function callErrno({ end, fields }: Call): number | null {
  return end === null ? null : errnoOf(fields.get("ret"));
}

/** What LUO's function does with a file's handler inside it. */
const CALLS_HANDLER: ReadonlyMap<string, "preserve" | "freeze" | "retrieve"> = new Map([
  [FUNCTIONS.preserveFile.name, "preserve"],
  [FUNCTIONS.fileFreeze.name, "freeze"],
  [FUNCTIONS.retrieveFile.name, "retrieve"],
]);

/**
 * Handlers do not know their token: the handler's call is the token's whose LUO call encloses it on the same task. Any
 * call with the handler's `compat` there is one, whatever the function's name. The freeze call is joined by
 * `serialized_data`, which is one physical address on both sides of the kexec; if that was not recorded, by order: LUO
 * freezes a session's files in the order they were preserved (luo_file.c, files_list). A handler called inside another
 * file's handler (liveupdate_get_file_incoming) is of the file that its data belongs to.
 */
function noteHandlers(calls: readonly Call[], own: readonly Call[], sessions: SessionRows): void {
  const handlersOf = callsWithin(calls.filter((call) => call.source === "kprobe" && call.fields.has("compat")));
  const byData = new Map<string, FileRow>();
  const nested: { readonly handler: Call; readonly parent: FileRow }[] = [];
  const note = (file: FileRow, handler: Call, action: string): void => {
    file.handler ??= String(handler.fields.get("compat"));
    file.handled.push({ span: handler.span, action });
    const data = tokenText(handler.fields.get("data"));
    if (data === null) return;
    file.data ??= data;
    byData.set(data, file);
  };
  for (const outer of own) {
    const action = CALLS_HANDLER.get(outer.name);
    const token = tokenText(outer.fields.get("token"));
    const file = token === null ? undefined : sessions.get(String(outer.fields.get("session")))?.files.get(token);
    if (file === undefined || action === undefined) continue;
    const [direct, inner] = outermost(handlersOf(outer));
    for (const handler of direct) note(file, handler, action);
    if (action === "retrieve") for (const handler of inner) nested.push({ handler, parent: file });
  }
  for (const outer of own) {
    if (outer.name !== FUNCTIONS.fileFreeze.name) continue;
    const files = [...(sessions.get(String(outer.fields.get("session")))?.files.values() ?? [])];
    outermost(handlersOf(outer))[0].forEach((handler, i) => {
      const data = tokenText(handler.fields.get("data"));
      const file = (data === null ? undefined : byData.get(data)) ?? files[i];
      if (file === undefined) return;
      file.freeze ??= handler;
      note(file, handler, "freeze");
    });
  }
  for (const { handler } of nested) {
    const data = tokenText(handler.fields.get("data"));
    const file = data === null ? undefined : byData.get(data);
    if (file === undefined) continue;
    file.retrieve ??= handler;
    note(file, handler, "retrieve");
  }
}

/** Calls that no other of them encloses, and the others. `calls` are of one task, by begin. */
function outermost(calls: readonly Call[]): readonly [outer: readonly Call[], inner: readonly Call[]] {
  const outer: Call[] = [];
  const inner: Call[] = [];
  for (const call of calls) {
    const last = outer.at(-1);
    const inside = last !== undefined && last.end !== null && call.begin.ns < last.end.ns;
    (inside ? inner : outer).push(call);
  }
  return [outer, inner];
}

/** Sizes stand only in the workload's own marks. */
function noteMarkedBytes(calls: readonly Call[], sessions: ReadonlyMap<string, SessionRow>): void {
  for (const call of calls) {
    if (call.source !== "marker" || !call.fields.has("bytes")) continue;
    const token = tokenText(call.fields.get("token"));
    const file = token === null ? undefined : sessions.get(String(call.fields.get("session")))?.files.get(token);
    const bytes = Number(call.fields.get("bytes"));
    if (file !== undefined && Number.isSafeInteger(bytes)) file.bytes ??= bytes;
  }
}

function sessionPhase(name: PhaseName, session: SessionRow, axis: Axis, zero: Zero): readonly SessionPhase[] {
  const calls = session.calls.get(name) ?? [];
  const first = calls[0];
  if (first === undefined) return [];
  const ends = calls.map((call) => call.end).filter((end) => end !== null);
  const last = ends.length === calls.length ? ends.reduce((latest, end) => (end.ns > latest.ns ? end : latest)) : null;
  return [
    {
      name,
      beginNs: first.begin.ns - zero[first.begin.boot],
      endNs: last === null ? null : last.ns - zero[first.begin.boot],
      durationNs: last === null ? null : axis.between(first.begin, last),
    },
  ];
}

function fileDocument(file: FileRow, session: SessionRow, newBootSeen: boolean, axis: Axis): FileDocument {
  const cost = (call: Call | null): number | null =>
    call === null || call.end === null ? null : axis.between(call.begin, call.end);
  return {
    token: file.token,
    handler: file.handler,
    bytes: file.bytes,
    preserveNs: cost(file.preserve),
    freezeNs: cost(file.freeze),
    retrieveNs: cost(file.retrieve),
    ...fileState(file, session, newBootSeen),
  };
}

/** How far a file is seen to have come; `newBootSeen`: whether any file was seen to come back. */
function fileState(
  { preserve, freeze, retrieve }: FileRow,
  { calls }: SessionRow,
  newBootSeen: boolean,
): Pick<FileDocument, "status" | "failedAt" | "errno"> {
  const steps = [
    ["retrieve", retrieve],
    ["freeze", freeze],
    ["preserve", preserve],
  ] as const;
  for (const [failedAt, call] of steps) {
    const errno = call === null ? null : callErrno(call);
    if (errno !== null) return { status: "failed", failedAt, errno: errnoName(errno) };
    if (call !== null) break;
  }
  const at = (status: FileDocument["status"]): ReturnType<typeof fileState> => ({
    status,
    failedAt: null,
    errno: null,
  });
  if (retrieve !== null && retrieve.end !== null) {
    const finish = calls.get("finish")?.[0];
    const finished = finish !== undefined && finish.end !== null && callErrno(finish) === null;
    return at(finished ? "finished" : "retrieved");
  }
  if (newBootSeen) return at("not-seen");
  const frozen = freeze ?? calls.get("freeze")?.[0] ?? null;
  if (frozen !== null && frozen.end !== null && callErrno(frozen) === null) return at("frozen");
  return at(preserve !== null && preserve.end !== null ? "preserved" : "not-seen");
}

/** Whether any file or session was seen in the new kernel. */
function newBootSeenIn(rows: SessionRows): boolean {
  return [...rows.values()].some(({ calls }) => calls.has("restore"));
}
