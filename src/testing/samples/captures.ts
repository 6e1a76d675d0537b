/** Reads and analyses captures for tests, without the command line. */

import { type AnchoredUpdate, analyzeUpdate } from "../../analyze/update/analyze.js";
import { memorySource } from "../../base/bytes/byte-source.js";
import { shiftMap } from "../../base/clock-map.js";
import { seededRandom } from "../../base/numbers/random.js";
import type { Boot } from "../../base/time.js";
import { type Capture, readCapture } from "../../collect/capture/capture.js";
import { openCaptureFiles } from "../../collect/capture/capture-files.js";
import { type CollectedCapture, collectCapture, placedEventFeed, type TraceMap } from "../../collect/collect.js";
import { type CaptureLimits, DEFAULT_LIMITS } from "../../collect/files/capture-error.js";
import type { CaptureFiles } from "../../collect/files/files.js";

export interface ReadUpdate {
  readonly capture: Capture;
  readonly collected: CollectedCapture;
  readonly update: AnchoredUpdate;
}

export function updateOfCapture(files: CaptureFiles): ReadUpdate {
  const capture = readCapture(files);
  if (!capture.ok) throw new Error(`${capture.error.code}: ${capture.error.message}`);
  const collected = collectCapture(capture.value, files);
  return { capture: capture.value, collected, update: analyzeUpdate(collected.collected) };
}

/** The events of both boots once more, on the axis of the analysed update. */
export function eventsOf(files: CaptureFiles, { capture, collected, update }: ReadUpdate) {
  const shifted = (boot: Boot): TraceMap | null => {
    const map = collected.maps[boot];
    return map === null ? null : (shiftMap(map as never, update.zeroNs[boot]) as TraceMap);
  };
  return placedEventFeed(capture, files, { old: shifted("old"), new: shifted("new") });
}

/** Opens, reads and analyses the capture at `path`; `without` hides files that it has. */
export async function readUpdate(
  path: string,
  without: RegExp | null = null,
  limits: CaptureLimits = DEFAULT_LIMITS,
): Promise<ReadUpdate> {
  return withFiles(path, (files) => updateOfCapture(without === null ? files : hiding(files, without)), limits);
}

export async function withFiles<T>(
  path: string,
  use: (files: CaptureFiles) => T | Promise<T>,
  limits: CaptureLimits = DEFAULT_LIMITS,
): Promise<T> {
  const files = await openCaptureFiles(path, limits);
  if (!files.ok) throw new Error(`${path}: ${files.error.code}: ${files.error.message}`);
  try {
    return await use(files.value);
  } finally {
    files.value.close();
  }
}

/** The same files without those whose path matches. */
export function hiding(files: CaptureFiles, hidden: RegExp): CaptureFiles {
  return {
    limits: files.limits,
    paths: files.paths.filter((path) => !hidden.test(path)),
    open: (path) => (hidden.test(path) ? null : files.open(path)),
    bytes: (path, limit, sink) => (hidden.test(path) ? null : files.bytes(path, limit, sink)),
    close: () => files.close(),
  };
}

/** The same files, those whose path matches with other text in them. */
export function replacing(files: CaptureFiles, changed: RegExp, change: (text: string) => string): CaptureFiles {
  return {
    ...files,
    paths: files.paths,
    open: (path) => {
      const source = files.open(path);
      if (source === null || !changed.test(path)) return source;
      const bytes = new Uint8Array(source.size);
      source.read(bytes, 0);
      return memorySource(source.name, Buffer.from(change(Buffer.from(bytes).toString("latin1")), "latin1"));
    },
    bytes: (path, limit, sink) => files.bytes(path, limit, sink),
    close: () => files.close(),
  };
}

/** The capture read from its trace text alone, of which only the lines that `keeps` takes are there. */
async function readLines(path: string, without: RegExp, keeps: (line: string) => boolean): Promise<ReadUpdate> {
  const change = (text: string): string => text.split("\n").filter(keeps).join("\n");
  return withFiles(path, (files) =>
    updateOfCapture(replacing(hiding(files, without), /(?:^|\/)(?:ring|new)\/trace$/, change)),
  );
}

/** Without half of its events, taken at random. */
export async function readHalf(path: string, seed: number): Promise<ReadUpdate> {
  const { uniform } = seededRandom(seed);
  return readLines(path, /trace_pipe_raw$/, (line) => line.startsWith("#") || uniform() < 0.5);
}

/** Without all that ties the two kernels' clocks together. */
export async function readUnlinked(path: string): Promise<ReadUpdate> {
  return readLines(path, /(?:trace_pipe_raw|clock_pairs|dmesg)$/, (line) => !line.includes("clock: realtime="));
}
