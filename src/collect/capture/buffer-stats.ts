/** A per-CPU buffer's `stats` file (kernel/trace/trace.c, tracing_stats_read). */
export interface BufferStats {
  readonly entries: number | null;
  readonly overrun: number | null;
  readonly commitOverrun: number | null;
  readonly bytes: number | null;
  readonly droppedEvents: number | null;
  readonly readEvents: number | null;
  /** `oldest event ts` as printed: seconds, or a raw count if the clock is not of nanoseconds. */
  readonly oldest: string | null;
  /** `now ts` as printed: the buffer's clock when the file was read. */
  readonly now: string | null;
}

/** The counters that are there; other lines are skipped, because kernels print different ones. */
export function parseBufferStats(text: string): BufferStats {
  const value = (name: string): number | null => {
    const match = new RegExp(`^${name}:\\s*(\\d{1,15})$`, "m").exec(text);
    return match === null ? null : Number(match[1]);
  };
  return {
    entries: value("entries"),
    overrun: value("overrun"),
    commitOverrun: value("commit overrun"),
    bytes: value("bytes"),
    droppedEvents: value("dropped events"),
    readEvents: value("read events"),
    oldest: /^oldest event ts:\s*(\d{1,20}(?:\.\d{6})?)$/m.exec(text)?.[1] ?? null,
    now: /^now ts:\s*(\d{1,20}(?:\.\d{6})?)$/m.exec(text)?.[1] ?? null,
  };
}
