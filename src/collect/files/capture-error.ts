/** Why a capture cannot be used at all. Codes are listed in docs/capture-format.md. */
import { hasObeyed } from "../../base/text/obeyed.js";

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
  /** Bytes of one file, unpacked. */
  readonly memberBytes: number;
  /** Files and folders; in an archive, its entries. */
  readonly members: number;
  /** Characters of a member's path. */
  readonly pathLength: number;
  /** Folders above a member. */
  readonly depth: number;
  /**
   * Unpacked bytes for each packed one, beyond the first 64 MiB. Deflate cannot exceed 1,032, which repetitive text
   * does
   * reach, so this bounds zstd alone, whose repeated blocks reach 32,000.
   */
  readonly ratio: number;
}

export const DEFAULT_LIMITS: CaptureLimits = {
  totalBytes: 8 * 2 ** 30,
  memberBytes: 4 * 2 ** 30,
  members: 20_000,
  pathLength: 512,
  depth: 16,
  ratio: 1_100,
};

/** Up to here a high ratio is just a short, repetitive file. */
export const RATIO_FREE_BYTES = 64 * 2 ** 20;

/** Of one part of a path: NAME_MAX of Linux's file systems (limits.h). */
const PART_BYTES = 255;

/**
 * What is wrong with a member's path, or null: it must be relative, of printable characters, and free of `..`, `.`,
 * empty parts and backslashes.
 */
export function pathFault(
  path: string,
  { pathLength, depth }: Pick<CaptureLimits, "pathLength" | "depth">,
): string | null {
  if (path === "") return "it is empty";
  if (path.length > pathLength) {
    return `it has ${path.length.toLocaleString("en")} characters, more than ${pathLength.toLocaleString("en")}`;
  }
  if (path.startsWith("/") || /^[a-zA-Z]:/.test(path)) return "it is absolute";
  if (path.includes("\\")) return "it holds a backslash";
  if (path.includes("\ufffd")) return "it is not UTF-8";
  if (hasObeyed(path)) return "it holds a character that cannot be printed, or that is not seen";
  const parts = path.split("/");
  if (parts.length - 1 > depth) return `it lies more than ${depth} folders deep`;
  if (parts.some((part) => part === "..")) return "it leads out of the capture (..)";
  if (parts.some((part) => part === "" || part === ".")) return "it holds an empty part";
  const utf8 = new TextEncoder();
  if (parts.some((part) => utf8.encode(part).length > PART_BYTES)) return `a part has more than ${PART_BYTES} bytes`;
  return null;
}
