/** The files of a capture, wherever they lie. */

import type { ByteSource } from "../../base/bytes/byte-source.js";
import type { DefectSink } from "../../base/defect.js";
import type { ReaderLimits } from "./reader-limits.js";

/** Where a reader gets its files' bytes; paths are relative to the capture, with forward slashes. */
export interface CaptureFiles {
  /** Sorted paths of all regular files. */
  readonly paths: readonly string[];
  /** How much of each is read at most. */
  readonly limits: ReaderLimits;
  /** Null if the file is missing. */
  open(path: string): ByteSource | null;
  /** The whole file, gunzipped if its name ends in .gz; refused (null and a defect in `sink`) beyond `limit` bytes. */
  bytes(path: string, limit: number, sink: DefectSink): Uint8Array | null;
  /** Removes what was unpacked. */
  close(): void;
}
