/** The tracks that show the analysed document: blackout, phases, seam, sessions, VMs, kernel logs, defects. */

import type { Boot } from "../../../base/time.js";
import type { LiveUpdate, LiveUpdateDocument } from "../../../model/live-update.js";
import type { TraceTime } from "../packets/trace-time.js";
import type { TraceWriter } from "../packets/trace-writer.js";
import { writeDefects } from "./defect-tracks.js";
import { writeLogs } from "./log-tracks.js";
import { writeBlackout, writePhases, writeSeam } from "./phase-tracks.js";
import { type SessionTracks, writeSessions } from "./session-tracks.js";
import { SliceDrawer } from "./slices.js";
import { type Roots, uncertaintyWords } from "./track-order.js";
import { writeVms } from "./vm-tracks.js";

export interface DocumentTracks {
  readonly roots: Roots;
  readonly sessions: SessionTracks;
  /** Parts of the document without a time, or with one that cannot be drawn. */
  readonly unplaced: number;
  readonly printkOutside: number;
}

/** Writes the document's tracks. */
export function writeDocument(writer: TraceWriter, update: LiveUpdate, time: TraceTime): DocumentTracks {
  const { document, printk } = update;
  const roots = writeRoots(writer, document, time);
  const drawer = new SliceDrawer(writer, time);
  writeBlackout(drawer, document.blackout, roots);
  writePhases(drawer, document.phases, roots);
  writeSeam(drawer, document, roots);
  const sessions = writeSessions(drawer, document.sessions, roots);
  writeVms(drawer, document.vms, roots);
  const lines = writeLogs(writer, printk, roots, time);
  const defects = writeDefects(writer, document.defects, roots, time);
  return { roots, sessions, unplaced: drawer.unplaced + lines.unplaced + defects, printkOutside: lines.outside };
}

function writeRoots(writer: TraceWriter, document: LiveUpdateDocument, time: TraceTime): Roots {
  const { capture, clock, outcomeReason, outcome } = document;
  const said = `${outcome}: ${outcomeReason}`;
  if (time.joint) {
    const uuid = writer.track({
      parent: 0,
      name: `Live update ${capture.name}`,
      ordered: true,
      rank: 0,
      description: `${said} Clock link: ${clock.method}, ${uncertaintyWords(clock.uncertaintyNs)}. Zero of the axis is at trace time ${time.zeroNs.old} ns.`,
    });
    return { old: uuid, new: uuid };
  }
  const root = (boot: Boot, rank: number): number =>
    writer.track({
      parent: 0,
      // The UI lists groups of the top level by name: the number puts the old boot first.
      name: `Live update ${capture.name}: ${rank + 1} ${boot} boot, on its own axis`,
      ordered: true,
      rank,
      description:
        `${said} No clock link joins the two boots: the distance between this group and the other has no meaning. ` +
        `Zero of this axis is at trace time ${time.zeroNs[boot]} ns.`,
    });
  return { old: root("old", 0), new: root("new", 1) };
}
