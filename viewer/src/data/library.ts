/** Where live updates come from: each source has the entry that a list shows, and can be read completely. */

import { err, ok, type Result } from "../../../src/base/result.js";
import type { LiveUpdate } from "../../../src/model/live-update.js";
import { parseReportIndex, type ReportEntry } from "../../../src/report/report-index.js";
import { decodeLiveUpdate } from "../../../src/report/update-codec.js";
import { inflateBase64 } from "./base64.js";

export interface Source {
  readonly entry: ReportEntry;
  /** Read again each time, so that only open updates take memory. */
  readonly read: () => Promise<Result<LiveUpdate, string>>;
}

export interface Library {
  readonly title: string;
  readonly sources: readonly Source[];
}

/** The updates inside a report, this page or another. */
export async function libraryOf(report: Document): Promise<Result<Library, string>> {
  const bytes = await elementBytes(report, "blackout-index");
  if (!bytes.ok) return bytes;
  const index = parseReportIndex(new TextDecoder().decode(bytes.value));
  if (!index.ok) return index;
  const sources = index.value.entries.map((entry, i) => ({
    entry,
    read: async () => {
      const update = await elementBytes(report, `blackout-update-${i}`);
      return update.ok ? decodeLiveUpdate(update.value) : update;
    },
  }));
  return ok({ title: index.value.title, sources });
}

async function elementBytes(report: Document, id: string): Promise<Result<Uint8Array, string>> {
  const text = report.getElementById(id)?.textContent;
  if (text === undefined || text === null) return err(`the report has no element “${id}”`);
  try {
    return ok(await inflateBase64(text.trim().slice(1, -1)));
  } catch (error) {
    return err(`the report's element “${id}” is damaged: ${error instanceof Error ? error.message : String(error)}`);
  }
}
