/** What `blackout sessions --json` prints. */
import { choice, formatted, integer, list, nullable, type Of, record, text } from "../../base/schema.js";
import { boot, capture, outcome } from "../document-parts.js";
import { type AbandonedDocument, abandonedSession, FILE_FIELDS, sessionPhase } from "../live-update.js";

const file = record({
  ...FILE_FIELDS,
  oldFd: nullable(integer(), "The fd it had where it was preserved,"),
  newFd: nullable(integer(), "and the one it came back as."),
  serializedData: nullable(text(), "Physical address of the handler's data, the same in both kernels."),
  folios: nullable(integer(), "How many, where a probe recorded it."),
  unit: nullable(text(), "systemd's unit of the token, where its mapping is in the capture."),
  fdName: nullable(text(), "systemd's name of the fd."),
});
export type FileState = Of<typeof file>;

const session = record({
  name: text(),
  owners: list(record({ boot, pid: integer(), task: text() })),
  unit: nullable(text(), "systemd's unit that keeps the session in its fd store."),
  fdName: nullable(text(), "Under which name."),
  clients: list(record({ boot, fd: nullable(integer()) }), "luod's clients that named the session as theirs."),
  phases: list(sessionPhase),
  files: list(file),
});
export type SessionState = Of<typeof session>;

const deviceOpen = record({
  boot,
  atNs: integer(),
  pid: integer(),
  task: text(),
  ret: nullable(integer(), "Null if the return was not recorded."),
  result: choice(["held", "refused", "failed", "unknown"], "refused: EBUSY, another agent held it."),
});
export type DeviceOpenDocument = Of<typeof deviceOpen>;

const stateChange = record({
  boot,
  from: text(),
  to: text(),
  atNs: nullable(integer(), "Null if the line cannot be placed on the axis."),
});
export type StateChangeDocument = Of<typeof stateChange>;

/** What LUO's device, sessions and states show beside the sessions that were carried over. */
export interface LuoFacts {
  readonly abandoned: readonly AbandonedDocument[];
  readonly device: readonly DeviceOpenDocument[];
  readonly states: readonly StateChangeDocument[];
}

export const sessionsSchema = formatted(
  "sessions",
  "LUO's sessions over the kexec, as `blackout sessions --json` prints them. All times are integer nanoseconds; zero is the blackout's begin.",
  {
    capture,
    outcome,
    sessions: list(session),
    abandoned: list(abandonedSession, "Sessions that were given up before the kexec."),
    device: list(deviceOpen, "Who opened /dev/liveupdate: one agent at a time holds it."),
    states: list(stateChange, "What the kernels of 2025 with one state for the whole host report, in order."),
  },
);
export type SessionsDocument = Of<typeof sessionsSchema>;
