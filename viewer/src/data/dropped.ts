/** Files opened on the page: recognized by content, not by name. Every error names what to do. */

import { err, ok, type Result } from "../../../src/base/result.js";
import type { LiveUpdate, LiveUpdateDocument } from "../../../src/model/live-update.js";
import { SpanFlag, SpanTableBuilder } from "../../../src/model/span-table.js";
import { reportEntry } from "../../../src/report/report-index.js";
import { notBuilt } from "../model/analysis.js";
import { libraryOf, type Source } from "./library.js";
import { updateInTrace } from "./perfetto-file.js";

/** The updates in a file. The error is a sentence without the file's name. */
export async function sourcesInFile(file: Blob): Promise<Result<readonly Source[], string>> {
  const head = new Uint8Array(await file.slice(0, 512).arrayBuffer());
  if (head.length === 0) return err("the file is empty");
  const begins = (...bytes: readonly number[]) => bytes.every((byte, i) => head[i] === byte);
  const capture = "it is a capture, or an archive; write a report of it with “blackout report FILE -o report.html”";
  if (begins(...GZIP)) return (await firstUnpacked(file)) === PACKET ? sourcesInTrace(file, true) : err(capture);
  if (begins(0x28, 0xb5, 0x2f, 0xfd)) return err(capture);
  if (new TextDecoder().decode(head.subarray(257, 262)) === "ustar") return err(capture);
  const start = new TextDecoder().decode(head).trimStart();
  if (start.startsWith("<")) return sourcesInReport(await file.text());
  if (start.startsWith("{")) return sourcesInJson(await file.text());
  if (begins(PACKET)) return sourcesInTrace(file, false);
  return err("it is not a blackout report, a trace or JSON that blackout wrote");
}

const GZIP = [0x1f, 0x8b];
/** What a Perfetto trace begins with: the key of a packet. */
const PACKET = 0x0a;

async function firstUnpacked(file: Blob): Promise<number | null> {
  const reader = file.stream().pipeThrough(new DecompressionStream("gzip")).getReader();
  const first = await reader.read().catch(() => null);
  await reader.cancel().catch(() => undefined);
  return first?.value?.[0] ?? null;
}

/** A `.pftrace` that blackout wrote, plain or gzipped (the Perfetto UI reads both). */
async function sourcesInTrace(file: Blob, packed: boolean): Promise<Result<readonly Source[], string>> {
  const read = () => updateInTrace(packed ? file.stream().pipeThrough(new DecompressionStream("gzip")) : file.stream());
  const update = await read();
  if (!update.ok) return update;
  const { document, spans, printk } = update.value;
  // Without attribution an entry has no causes: for very many spans, trees would take seconds.
  const listed = notBuilt(update.value) === null ? update.value : { document, spans, printk };
  return ok([{ entry: reportEntry(listed), read }]);
}

async function sourcesInReport(text: string): Promise<Result<readonly Source[], string>> {
  // Parsed, never inserted into this page: a parsed document runs no script and loads nothing.
  const library = await libraryOf(new DOMParser().parseFromString(text, "text/html"));
  if (!library.ok) return err(`this viewer cannot read the report: ${library.error}`);
  return ok(library.value.sources);
}

/** One document per line, as `blackout analyze --json` prints them, or one document over several lines. */
function sourcesInJson(text: string): Result<readonly Source[], string> {
  const whole = parsed(text);
  const documents: unknown[] = [];
  if (whole.ok) documents.push(whole.value);
  else {
    const lines = text.split("\n");
    for (const [i, line] of lines.entries()) {
      if (line.trim() === "") continue;
      const one = parsed(line);
      if (!one.ok) return err(`line ${i + 1} is not JSON: ${one.error}`);
      documents.push(one.value);
    }
  }
  const sources: Source[] = [];
  for (const value of documents) {
    const document = asDocument(value);
    if (document === null) {
      return err(
        "its JSON is not a blackout-live-update document of version 1; make one with “blackout analyze --json”",
      );
    }
    const update = updateOfDocument(document);
    sources.push({ entry: reportEntry(update), read: () => Promise.resolve(ok(update)) });
  }
  return ok(sources);
}

function parsed(text: string): Result<unknown, string> {
  try {
    return ok(JSON.parse(text));
  } catch (error) {
    return err(error instanceof Error ? error.message : String(error));
  }
}

/** Checks what the viewer relies on; the rest of the schema is trusted. */
function asDocument(value: unknown): LiveUpdateDocument | null {
  const document = value as Partial<LiveUpdateDocument> | null;
  const right =
    document?.format === "blackout-live-update" &&
    document.version === 1 &&
    typeof document.capture?.name === "string" &&
    [document.phases, document.sessions, document.vms, document.defects, document.sources].every(Array.isArray) &&
    [document.clock, document.blackout, document.seam].every((part) => typeof part === "object" && part !== null);
  return right ? (document as LiveUpdateDocument) : null;
}

/** A document alone has no spans of functions or devices: only its sessions and VMs can be drawn. */
function updateOfDocument(document: LiveUpdateDocument): LiveUpdate {
  const builder = new SpanTableBuilder();
  const add = (kind: "session" | "marker", name: string, detail: string, begin: number | null, end: number | null) => {
    if (begin === null && end === null) return;
    builder.add({
      beginNs: (begin ?? end) as number,
      endNs: (end ?? begin) as number,
      parent: -1,
      kind,
      name,
      detail,
      boot: null,
      cpu: -1,
      pid: -1,
      task: "",
      evidence: "analysed document",
      flags: (begin === null ? SpanFlag.beginUnseen : 0) | (end === null ? SpanFlag.endUnseen : 0),
    });
  };
  for (const session of document.sessions) {
    for (const phase of session.phases) add("session", session.name, phase.name, phase.beginNs, phase.endNs);
  }
  for (const vm of document.vms) add("marker", `vm ${vm.id}`, "pause to resume", vm.beginNs, vm.endNs);
  return { document, spans: builder.build(), printk: [] };
}
