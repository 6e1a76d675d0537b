/** Takes the data out of the page: inert elements of base64 and deflate, opened with the browser's own means. */

import type { LiveUpdate } from "../../../src/analyze/live-update.js";
import { decodeLiveUpdate, parseReportIndex, type ReportIndex } from "../../../src/analyze/report-data.js";
import { err, type Result } from "../../../src/base/result.js";

export async function readIndex(page: Document): Promise<Result<ReportIndex, string>> {
  const bytes = await elementBytes(page, "blackout-index");
  return bytes.ok ? parseReportIndex(new TextDecoder().decode(bytes.value)) : bytes;
}

/** Update `index` of the report, decoded; read anew each time, so that only what is open takes memory. */
export async function readUpdate(page: Document, index: number): Promise<Result<LiveUpdate, string>> {
  const bytes = await elementBytes(page, `blackout-update-${index}`);
  return bytes.ok ? decodeLiveUpdate(bytes.value) : bytes;
}

async function elementBytes(page: Document, id: string): Promise<Result<Uint8Array, string>> {
  const text = page.getElementById(id)?.textContent;
  if (text === undefined || text === null) return err(`the report has no element “${id}”`);
  try {
    const packed = Uint8Array.from(atob(text.trim().slice(1, -1)), (character) => character.charCodeAt(0));
    const plain = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
    return { ok: true, value: new Uint8Array(await new Response(plain).arrayBuffer()) };
  } catch (error) {
    return err(`the report's element “${id}” is damaged: ${error instanceof Error ? error.message : String(error)}`);
  }
}
