/** A kernel log as a trace: dmesg's output in any of its forms, or what pstore kept of one. Its clock is printk's. */

import type { ByteSource } from "../../base/bytes/byte-source.js";
import { ok, type Result } from "../../base/result.js";
import type { TraceFile } from "../../model/traces/trace-file.js";
import { linePrefix } from "./kmsg.js";
import { pstoreFrame } from "./pstore.js";
import { type StampedDialect, stampedTextSource } from "./stamped-text.js";

const DIALECT: StampedDialect = {
  name: "kernel-log",
  eventName: "printk",
  parse(buffer, begin, end, line) {
    // One character a byte, so that what follows the prefix is found by its length.
    const text = buffer.toString("latin1", begin, end);
    if (text.trim() === "" || pstoreFrame(text.trim()) !== null) return "structural";
    const { stampNs, text: said } = linePrefix(text);
    if (stampNs === null) return "undecoded";
    line.seconds = Math.floor(stampNs / 1e9);
    line.nanos = stampNs % 1e9;
    line.begin = end - said.length;
    line.end = end;
    return "event";
  },
  fields: (_, text) => new Map([["text", text]]),
  undecoded: {
    code: "printk-torn",
    severity: "note",
    message: "A line carries no stamp: the rest of a message, or what a full ring left of a line.",
    advice: "Nothing, where the log is of pstore; else read the log again, with stamps (printk.time=1).",
  },
  untimed: {
    code: "printk-stamp-invalid",
    severity: "note",
    message: "Lines carry no stamp.",
    advice: "Check that the file is a kernel log.",
  },
};

/** How many lines of a head are looked at; a ring's first is seldom whole. */
const HEAD_LINES = 16;

/** Most of the first lines carry printk's stamp, or frame such a log. */
export function isKernelLog(head: Uint8Array): boolean {
  const text = new TextDecoder("latin1").decode(head.subarray(0, 8192));
  const lines = text
    .split("\n", HEAD_LINES + 1)
    .slice(0, HEAD_LINES)
    .filter((line) => line.trim() !== "");
  const stamped = lines.filter((line) => linePrefix(line).stampNs !== null);
  const framed = lines.filter((line) => pstoreFrame(line.trim()) !== null);
  return stamped.length > 0 && (stamped.length + framed.length) * 2 >= lines.length;
}

export function openKernelLog(source: ByteSource): Result<TraceFile, string> {
  return ok({
    what: "kernel log",
    uname: null,
    session: null,
    parts: [
      {
        name: "",
        clock: "printk",
        source: (filter) => stampedTextSource({ boot: "old", source, dialect: DIALECT, filter }),
      },
    ],
  });
}
