/** The server that the page came from, and where each update's trace is; nothing if the page came from a file. */
import { fileStem } from "../model/format.js";
import { type Handover, handOver } from "./perfetto-handover.js";

interface ServedTrace {
  readonly path: string;
  readonly url: string;
  readonly title: string;
}

export interface Served {
  readonly traces: readonly ServedTrace[];
}

export function servedBy(page: Document): Served | null {
  const text = page.getElementById("blackout-served")?.textContent;
  if (text === undefined || text === null) return null;
  try {
    return JSON.parse(text) as Served;
  } catch {
    return null;
  }
}

/** The trace of update `index`, and where to send it; read before the browser's permission from the click expires. */
export async function traceFor(
  served: Served,
  index: number,
): Promise<{ trace: ServedTrace; buffer: ArrayBuffer } | string> {
  const trace = served.traces[index];
  if (trace === undefined) return "This update was opened from a separate file: the server has no trace of it.";
  try {
    const answer = await fetch(trace.path);
    if (!answer.ok) return `The server could not make the trace (${answer.status}).`;
    return { trace, buffer: await answer.arrayBuffer() };
  } catch {
    return "The trace could not be read. Is “blackout serve” still running?";
  }
}

export function handOverTrace({ trace, buffer }: { trace: ServedTrace; buffer: ArrayBuffer }): Promise<Handover> {
  return handOver({ url: trace.url, buffer, title: trace.title, fileName: `${fileStem(trace.title)}.pftrace` });
}
