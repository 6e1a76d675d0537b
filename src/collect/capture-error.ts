/** Why a capture cannot be used at all. Codes are listed in docs/capture-format.md. */
export interface CaptureError {
  readonly code: CaptureErrorCode;
  /** What was found, and where. */
  readonly message: string;
  /** What to do about it. */
  readonly advice: string;
}

export type CaptureErrorCode =
  | "not-found"
  | "not-a-capture"
  | "unreadable"
  | "bad-path"
  | "link"
  | "special-file"
  | "duplicate-member"
  | "too-many-members"
  | "too-large"
  | "bomb"
  | "truncated"
  | "corrupt"
  | "bad-json"
  | "wrong-format"
  | "newer-version";

export function captureError(code: CaptureErrorCode, message: string, advice: string): CaptureError {
  return { code, message, advice };
}

/** Bounds on what a capture may cost. All are inclusive. */
export interface CaptureLimits {
  /** Bytes of all files together, unpacked. */
  readonly totalBytes: number;
  /** Files and folders. */
  readonly members: number;
  /** Characters of a member's path. */
  readonly pathLength: number;
  /** Folders above a member. */
  readonly depth: number;
  /** Unpacked bytes for each packed one, beyond the first 64 MiB (deflate itself cannot exceed 1,032). */
  readonly ratio: number;
}

export const DEFAULT_LIMITS: CaptureLimits = {
  totalBytes: 8 * 2 ** 30,
  members: 20_000,
  pathLength: 512,
  depth: 16,
  ratio: 1_100,
};

/** Up to here a high ratio is just a short, repetitive file. */
export const RATIO_FREE_BYTES = 64 * 2 ** 20;

/**
 * What is wrong with a member's path, or null: it must be relative, of printable characters, and free of `..`, `.`,
 * empty parts and backslashes.
 */
export function pathFault(path: string, limits: CaptureLimits): string | null {
  if (path === "") return "it is empty";
  if (path.length > limits.pathLength) return `it is longer than ${limits.pathLength} characters`;
  if (path.startsWith("/") || /^[a-zA-Z]:/.test(path)) return "it is absolute";
  if (path.includes("\\")) return "it holds a backslash";
  if (/[\x00-\x1f\x7f]/.test(path)) return "it holds a control character";
  const parts = path.split("/");
  if (parts.length > limits.depth) return `it lies more than ${limits.depth} folders deep`;
  if (parts.some((part) => part === "..")) return "it leads out of the capture (..)";
  if (parts.some((part) => part === "" || part === ".")) return "it holds an empty part";
  return null;
}
