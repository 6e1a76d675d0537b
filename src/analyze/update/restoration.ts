/**
 * What of the preserved state came back. A loss rests on evidence: a call that returned an error and was not repeated
 * with success, or a line of the new kernel's log. What was only not recorded is not a loss: it is not seen.
 */

import { errnoName, errnoOf } from "../../base/numbers/errno.js";
import type { KeyEvent, PlacedLine } from "../../model/collected.js";
import { captured, kernelLineOf, kernelLineRow } from "../../model/kernel-lines.js";
import type { LossDocument } from "../../model/live-update.js";
import { FUNCTIONS, IOCTL, ioctlNumber, type LuoDialect, tokenText } from "../../model/luo.js";
import { deedOf } from "../../model/marks.js";
import { callErrno, type SessionRow, type SessionRows } from "../causes/sessions.js";
import type { Zero } from "../evidence/axis.js";
import { type Call, callsOf } from "../evidence/calls.js";

export type NotSeen = { readonly session: string; readonly tokens: readonly string[] };

export interface Restoration {
  readonly losses: readonly LossDocument[];
  readonly notSeen: readonly NotSeen[];
  /** Files that came back, of those that are known. */
  readonly restored: number;
  readonly files: number;
}

type LossAction = LossDocument["action"];

/** Errors after which the call is repeated: nothing is lost by them alone. */
const TRANSIENT: ReadonlySet<number> = new Set([4, 11]);
const ENOENT = 2;

function lossOfCall(
  call: Call,
  action: LossAction,
  who: Partial<LossDocument>,
  place: Place,
  zero: Zero,
): LossDocument {
  const errno = callErrno(call);
  const { name, source } = call;
  return {
    session: null,
    token: null,
    handler: null,
    ...who,
    action,
    errno: errno === null ? null : errnoName(errno),
    atNs: (call.end ?? call.begin).ns - zero[call.begin.boot],
    evidence: `${source} ${name} returned ${errno === null ? "an error" : -errno}`,
    file: place.file,
    place: place.place,
  };
}

interface Place {
  readonly file: string;
  readonly place: number;
}

/** Losses that calls show, and sessions that were not seen to come back. */
export function restorationOf(
  rows: SessionRows,
  events: readonly KeyEvent[],
  printk: readonly PlacedLine[],
  dialect: LuoDialect,
  newBootReached: boolean,
  zero: Zero,
): Restoration {
  if (!newBootReached) return { losses: [], notSeen: [], restored: 0, files: 0 };
  const fresh = callsOf(events).filter(({ begin }) => begin.boot === "new");
  const places = new Map<number, Place>();
  for (const { span, file, place } of events) if (span !== undefined) places.set(span, { file, place });
  const placeOf = (call: Call): Place => places.get(call.span) ?? { file: "", place: 0 };
  const made = (call: Call, action: LossAction, who: Partial<LossDocument> = {}): LossDocument =>
    lossOfCall(call, action, who, placeOf(call), zero);
  const ofSessions = [...rows.values()].flatMap((session): readonly LossDocument[] => {
    const asked = callsTo(session, "retrieve");
    const refused = lastFailure(asked);
    const wasPreserved = session.calls.has("prepare") || session.calls.has("freeze");
    // An agent asks for its session before it makes one: what was never preserved is not lost.
    const lost =
      refused === null || (callErrno(refused) === ENOENT && !wasPreserved)
        ? []
        : [made(refused, "retrieve", { session: session.name })];
    const files = [...session.files.values()].flatMap(({ token, handler, retrieve }) =>
      retrieve === null || callErrno(retrieve) === null
        ? []
        : [made(retrieve, "retrieve", { session: session.name, token, handler })],
    );
    return [...lost, ...files];
  });
  const byCalls = [
    ...repeated(fresh, FUNCTIONS.sessionDeserialize.name, () => "").map((call) => made(call, "deserialize")),
    ...ofSessions,
    ...repeated(fresh, FUNCTIONS.sessionFinish.name, ({ fields }) => String(fields.get("session") ?? "")).map((call) =>
      made(call, "finish", { session: sessionOf(call) }),
    ),
    ...lossesOfIoctls(fresh, dialect).map(({ call, action }) => made(call, action)),
  ];
  const losses = [...byCalls, ...lossesOfLog(printk, byCalls, rows, zero)];
  return { losses, ...countsOf(rows, losses) };
}

function sessionOf({ fields }: Call): string | null {
  const session = fields.get("session");
  return session === undefined ? null : String(session);
}

/** A session's own calls of an action, of all its phases. */
function callsTo(session: SessionRow, action: string): readonly Call[] {
  return [...session.calls.values()].flat().filter(({ name }) => {
    const deed = deedOf(name);
    return deed?.of === "session" && deed.action === action;
  });
}

/**
 * The last call of some that all failed; null if there is none, or one succeeded. A call whose return value was not
 * recorded, as the function graph's of a call that a probe saw too, shows neither.
 */
function lastFailure(calls: readonly Call[]): Call | null {
  const returned = calls.filter(({ end, fields }) => end !== null && fields.has("ret"));
  const last = returned.at(-1) ?? null;
  return last !== null && returned.every((call) => callErrno(call) !== null) ? last : null;
}

/** Of each key's calls of a function the last, if all of them failed. */
function repeated(calls: readonly Call[], name: string, keyOf: (call: Call) => string): readonly Call[] {
  const byKey = new Map<string, Call[]>();
  for (const call of calls) {
    if (call.name !== name) continue;
    const key = keyOf(call);
    const known = byKey.get(key);
    if (known === undefined) byKey.set(key, [call]);
    else known.push(call);
  }
  return [...byKey.values()].flatMap((own) => lastFailure(own) ?? []);
}

/**
 * The ioctls, if no probe saw the retrieves. Which token it was lies in user memory, so a repeated call and another
 * file's look the same. Errors after which a call is repeated are left out.
 */
function lossesOfIoctls(
  calls: readonly Call[],
  dialect: LuoDialect,
): readonly { readonly call: Call; readonly action: LossAction }[] {
  if (calls.some(({ name }) => name === FUNCTIONS.retrieveFile.name)) return [];
  const numbers = (names: readonly string[]): ReadonlySet<number> =>
    new Set(names.flatMap((name) => ioctlNumber(dialect, name) ?? []));
  const [retrieve, finish] = [numbers(IOCTL.retrieveFd), numbers([IOCTL.finish])];
  const ioctls = calls.filter(({ name, source }) => name === "ioctl" && source === "syscall");
  const command = ({ fields }: Call): number => Number(fields.get("cmd"));
  const files = ioctls.filter((call) => retrieve.has(command(call)) && !TRANSIENT.has(callErrno(call) ?? 0));
  const finishes = ioctls.filter((call) => finish.has(command(call)));
  return [
    ...files.filter((call) => callErrno(call) !== null).map((call) => ({ call, action: "retrieve" as const })),
    ...repeated(finishes, "ioctl", ({ pid, fields }) => `${pid} ${fields.get("fd")}`).map((call) => ({
      call,
      action: "finish" as const,
    })),
  ];
}

/** Losses that the new kernel's log states; a line that names what a call has shown already adds nothing. */
function lossesOfLog(
  printk: readonly PlacedLine[],
  shown: readonly LossDocument[],
  rows: SessionRows,
  zero: Zero,
): readonly LossDocument[] {
  return printk.flatMap(({ line, ns }): readonly LossDocument[] => {
    const { text, boot, file } = line;
    const id = boot === "new" ? kernelLineOf(text) : null;
    if (id === null || !kernelLineRow(id).purposes.includes("loss")) return [];
    const token = tokenText(captured("names-token", text)?.token);
    if (token !== null && shown.some((loss) => loss.token === token)) return [];
    const owner = token === null ? null : ownerOf(rows, token);
    const session = sessionIn(text, rows) ?? owner?.session ?? null;
    const errno = errnoIn(text);
    const handler = captured("luo-handler-unknown", text)?.abi ?? owner?.handler ?? null;
    const atNs = ns === null ? null : ns - zero.new;
    return [{ session, token, handler, action: "restore", errno, atNs, evidence: text, file, place: line.line }];
  });
}

/** The session that a line names: in quotes or brackets, else by a name that the update has. */
function sessionIn(text: string, rows: SessionRows): string | null {
  const { session, bare } = captured("names-session", text) ?? {};
  if (session !== undefined) return session;
  return bare !== undefined && rows.has(bare) ? bare : null;
}

/** The one file of a token; null if several sessions have a file of that token. */
function ownerOf(
  rows: SessionRows,
  token: string,
): { readonly session: string; readonly handler: string | null } | null {
  const owners = [...rows.values()].flatMap(({ name, files }) => {
    const file = files.get(token);
    return file === undefined ? [] : [{ session: name, handler: file.handler }];
  });
  return owners.length === 1 ? (owners[0] ?? null) : null;
}

/** `-ENOMEM`, `[-12]`, `error -12`: how kernel lines name an error. */
function errnoIn(text: string): string | null {
  const { name, number } = captured("names-error", text) ?? {};
  if (name !== undefined) return name;
  const errno = errnoOf(number ?? "");
  return errno === null ? null : errnoName(errno);
}

/** Sessions and files that were not seen to come back, if others were: without any, nothing can be concluded. */
function countsOf(
  rows: SessionRows,
  losses: readonly LossDocument[],
): Pick<Restoration, "notSeen" | "restored" | "files"> {
  const came = (call: Call | null): boolean => call !== null && call.end !== null && callErrno(call) === null;
  const all = [...rows.values()];
  const files = all.flatMap((session) => [...session.files.values()].map((file) => ({ session, file })));
  const restored = files.filter(({ file }) => came(file.retrieve)).length;
  if (restored === 0) return { notSeen: [], restored, files: files.length };
  const isLost = (session: string, token: string | null): boolean =>
    losses.some((loss) => loss.session === session && (loss.token === null || loss.token === token));
  const notSeen = all.flatMap((session): readonly NotSeen[] => {
    if (!session.calls.has("prepare") && !session.calls.has("freeze")) return [];
    const own = [...session.files.values()].filter(({ preserve }) => preserve === null || callErrno(preserve) === null);
    const unseen = own.filter(({ token, retrieve }) => !came(retrieve) && !isLost(session.name, token));
    const sessionSeen = session.calls.has("restore");
    if (unseen.length === 0 && (sessionSeen || own.length > 0)) return [];
    return isLost(session.name, null) ? [] : [{ session: session.name, tokens: unseen.map(({ token }) => token) }];
  });
  return { notSeen, restored, files: files.length };
}

/** One sentence of what was lost. */
export function lossSentence({ losses, restored, files }: Restoration): string {
  const named = losses.slice(0, 3).map(({ session, token, handler, action, errno, evidence }) => {
    const what = [
      session === null ? "" : `session ${session}`,
      token === null ? "" : `token ${token}`,
      handler === null ? "" : `handler ${handler}`,
    ].filter((part) => part !== "");
    const error = errno === null ? "" : ` with ${errno}`;
    if (action === "restore") return `${what.length === 0 ? "" : `${what.join(", ")}: `}'${evidence}'`;
    return `${what.length === 0 ? "a session" : what.join(", ")}: ${action} failed${error}`;
  });
  const more = losses.length > named.length ? `; and ${losses.length - named.length} more` : "";
  const count = files === 0 ? "" : `${restored} of ${files} files came back. `;
  return `${count}Lost: ${named.join("; ")}${more}.`;
}

const NOT_SEEN = "Not seen to be restored";

/** Whether an outcome's reason is that of `notSeenSentence`. */
export function isNotSeenSentence(reason: string): boolean {
  return reason.startsWith(NOT_SEEN);
}

export function notSeenSentence(notSeen: readonly NotSeen[]): string {
  const named = notSeen.slice(0, 3).map(({ session, tokens }) => {
    const files = tokens.length === 0 ? "" : ` (${tokens.slice(0, 4).join(", ")}${tokens.length > 4 ? ", …" : ""})`;
    return `${session}${files}`;
  });
  const more = notSeen.length > named.length ? ` and ${notSeen.length - named.length} more` : "";
  return `${NOT_SEEN}, which does not show a loss: session ${named.join(", ")}${more}.`;
}
