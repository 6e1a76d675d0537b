/** Reads and analyses captures for tests, without the command line. */
import { type AnchoredUpdate, analyzeUpdate } from "../analyze/analyze.js";
import { type Capture, readCapture } from "../collect/capture.js";
import { type CaptureLimits, DEFAULT_LIMITS } from "../collect/capture-error.js";
import { openCaptureFiles } from "../collect/capture-files.js";
import { type CollectedCapture, collectCapture } from "../collect/collect.js";
import type { CaptureFiles } from "../collect/types.js";

export interface ReadUpdate {
  readonly capture: Capture;
  readonly collected: CollectedCapture;
  readonly update: AnchoredUpdate;
}

export function updateOf(files: CaptureFiles): ReadUpdate {
  const capture = readCapture(files);
  if (!capture.ok) throw new Error(`${capture.error.code}: ${capture.error.message}`);
  const collected = collectCapture(capture.value, files);
  return { capture: capture.value, collected, update: analyzeUpdate(collected.collected) };
}

/** Opens, reads and analyses the capture at `path`; `without` hides files that it has. */
export async function readUpdate(
  path: string,
  without: RegExp | null = null,
  limits: CaptureLimits = DEFAULT_LIMITS,
): Promise<ReadUpdate> {
  return withFiles(path, (files) => updateOf(without === null ? files : hiding(files, without)), limits);
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
    paths: files.paths.filter((path) => !hidden.test(path)),
    open: (path) => (hidden.test(path) ? null : files.open(path)),
    bytes: (path, limit, sink) => (hidden.test(path) ? null : files.bytes(path, limit, sink)),
    close: () => files.close(),
  };
}
