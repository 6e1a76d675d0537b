/** A histogram log among the arguments of `blackout percentiles`. */
import { readFileSync, statSync } from "node:fs";
import { err, type Result } from "../../base/result.js";
import { HLOG_LIMITS, type Hlog, readHlog } from "../../export/hlog.js";

/** By the name alone, so that what is done does not depend on what a file happens to hold. */
export function isLogPath(path: string): boolean {
  return /\.hlog$/i.test(path);
}

export function readLog(path: string): Result<Hlog, string> {
  let text: string;
  try {
    const stat = statSync(path);
    if (!stat.isFile()) return err(`${path}: not a regular file`);
    if (stat.size > HLOG_LIMITS.bytes) {
      return err(`${path}: it has ${stat.size} bytes, more than the ${HLOG_LIMITS.bytes} that are read`);
    }
    text = readFileSync(path, "utf8");
  } catch (error) {
    return err(`${path} cannot be read: ${(error as Error).message}`);
  }
  const log = readHlog(text);
  return log.ok ? log : err(`${path}: ${log.error}`);
}
