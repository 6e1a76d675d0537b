/** The tracks of LUO sessions and of their files. */

import type { SessionDocument } from "../../../model/live-update.js";
import { bootsOfPhase } from "../packets/trace-time.js";
import type { TrackInput } from "../packets/trace-writer.js";
import type { SliceDrawer } from "./slices.js";
import { Rank, type Roots } from "./track-order.js";

export interface SessionTracks {
  /** The parent of the sessions. */
  readonly group: number;
  readonly bySession: ReadonlyMap<string, number>;
  /** By `fileKey`. */
  readonly byFile: ReadonlyMap<string, { readonly uuid: number; readonly input: TrackInput }>;
}

/**
 * The session of a file, from `session token`; a numeric token is the same in decimal (probes) and hexadecimal (marks).
 */
export function fileKey(name: string): string {
  const blank = name.lastIndexOf(" ");
  const session = name.slice(0, Math.max(0, blank));
  const token = name.slice(blank + 1);
  const value = Number(token);
  return `${session} ${token !== "" && Number.isSafeInteger(value) ? value : token}`;
}

/** One track a session and one a file, below a common parent. */
export function writeSessions(drawer: SliceDrawer, sessions: readonly SessionDocument[], roots: Roots): SessionTracks {
  const bySession = new Map<string, number>();
  const byFile = new Map<string, { uuid: number; input: TrackInput }>();
  const group = drawer.writer.track({
    parent: roots.old,
    name: "Sessions",
    ordered: true,
    rank: Rank.sessions,
    description: "LUO sessions, each with its phases, its calls and its files' calls by token.",
  });
  sessions.forEach((session, rank) => {
    const flow = rank + 1;
    const lastOld = session.phases.findLast(({ name }) => bootsOfPhase(name)[0] === "old");
    const firstNew = session.phases.find(({ name }) => bootsOfPhase(name)[0] === "new");
    const flows = drawer.time.joint && lastOld !== undefined && firstNew !== undefined;
    const track = {
      parent: group,
      name: session.name,
      ordered: true,
      rank,
      description: `Session ${session.name}: ${session.files.length} files.`,
    };
    const uuid = drawer.draw(track, (at) =>
      session.phases.map((phase) => {
        const [boot] = bootsOfPhase(phase.name);
        const slice = drawer.part(
          at,
          phase.name,
          "session",
          [boot, phase.beginNs],
          [boot, phase.endNs],
          [
            ["session", session.name],
            ["duration_ns", phase.durationNs],
          ],
        );
        if (slice === null || !flows) return slice;
        if (phase === lastOld) return { ...slice, flow: { starts: flow } };
        return phase === firstNew ? { ...slice, flow: { ends: flow } } : slice;
      }),
    );
    bySession.set(session.name, uuid);
    session.files.forEach((file, fileRank) => {
      const known = [
        file.handler === null ? "" : `, ${file.handler}`,
        file.bytes === null ? "" : `, ${file.bytes} bytes`,
      ].join("");
      const input: TrackInput = {
        parent: uuid,
        name: `${file.token}${file.handler === null ? "" : ` ${file.handler}`}`,
        rank: fileRank + 1,
        description: `Token ${file.token}${known}. ${costOf(file)}`,
      };
      byFile.set(fileKey(`${session.name} ${file.token}`), { uuid: drawer.writer.track(input), input });
    });
  });
  return { group, bySession, byFile };
}

function costOf(file: SessionDocument["files"][number]): string {
  const cost = (ns: number | null): string => (ns === null ? "unknown" : `${ns} ns`);
  return `Preserve ${cost(file.preserveNs)}, freeze ${cost(file.freezeNs)}, retrieve ${cost(file.retrieveNs)}.`;
}
