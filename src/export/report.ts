/**
 * The single-file report: the viewer's page with live updates inside, readable from file:// without a network. The
 * data travels as base64 of deflate in inert elements, so that no text of a capture is ever parsed as markup.
 */
import { deflateRawSync } from "node:zlib";
import type { LiveUpdate } from "../model/live-update.js";
import { packReportIndex, type ReportIndex } from "../report/report-index.js";
import { encodeLiveUpdate } from "../report/update-codec.js";

/** Where the template takes the data; scripts/build-viewer.mjs puts it there. */
export const REPORT_DATA_PLACE = "<!-- blackout:data -->";
const TITLE_PLACE = "<!-- blackout:title -->";

/**
 * The report as one HTML text; the index may list updates that the report does not hold whole. `template` is
 * dist/viewer/report-template.html. Names in captures are untrusted: they stand in compressed data only; the title is
 * escaped. Throws RangeError if `template` has no place for data (it is not a report template: build the viewer again).
 */
export function renderReportOf(index: ReportIndex, updates: readonly LiveUpdate[], template: string): string {
  return renderPackedReport(index, updates.map(packUpdate), template);
}

/** The same of updates that were packed before. */
export function renderPackedReport(index: ReportIndex, updates: readonly PackedUpdate[], template: string): string {
  const [head, tail, ...more] = template.split(REPORT_DATA_PLACE);
  if (head === undefined || tail === undefined || more.length > 0) {
    throw new RangeError(`the report template must contain "${REPORT_DATA_PLACE}" exactly once`);
  }
  const list = new TextEncoder().encode(packReportIndex(index));
  const parts = [head.split(TITLE_PLACE).join(escapeHtml(index.title)), dataElement("blackout-index", packed(list))];
  updates.forEach((update, i) => {
    parts.push(dataElement(`blackout-update-${i}`, update));
  });
  parts.push(tail);
  return parts.join("");
}

/** A live update as reports and traces carry it: `encodeLiveUpdate`, deflated raw. */
export function packLiveUpdate(update: LiveUpdate): Uint8Array {
  return deflateRawSync(encodeLiveUpdate(update), { level: 6 });
}

/** A live update as it stands in a report: base64 of deflate. */
export type PackedUpdate = string & { readonly __packed: never };

export function packUpdate(update: LiveUpdate): PackedUpdate {
  return packed(encodeLiveUpdate(update)) as PackedUpdate;
}

function packed(bytes: Uint8Array): string {
  return deflateRawSync(bytes, { level: 9 }).toString("base64");
}

/** An element that no browser runs: its type is not that of a script, and base64 contains no `<`. */
function dataElement(id: string, text: string): string {
  return `<script type="application/json" id="${id}" data-coding="deflate-raw;base64">"${text}"</script>\n`;
}

/** A page of ours with `value` in it as inert JSON; text of a capture is never parsed as markup. */
export function embedJson(template: string, id: string, value: unknown, title: string): string {
  const json = JSON.stringify(value).replaceAll("<", "\\u003c");
  const element = `<script type="application/json" id="${id}">${json}</script>\n`;
  return template
    .split(TITLE_PLACE)
    .join(escapeHtml(title))
    .split(REPORT_DATA_PLACE)
    .join(`${element}${REPORT_DATA_PLACE}`);
}

function escapeHtml(text: string): string {
  const names: Readonly<Record<string, string>> = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "'": "&#39;",
  };
  return text.replace(/[&<>"']/g, (character) => names[character] ?? character);
}
