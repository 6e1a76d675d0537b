/** A histogram log among the arguments of `blackout percentiles`. */
import { closeSync, readFileSync } from "node:fs";
import { err, type Result } from "../../base/result.js";
import { openFile } from "../../collect/files/open-file.js";
import { HLOG_LIMITS, type Hlog, readHlog } from "../../export/hlog.js";

/** By the name alone, so that what is done does not depend on what a file happens to hold. */
export function isLogPath(path: string): boolean {
  return /\.hlog$/i.test(path);
}

export function readLog(path: string): Result<Hlog, string> {
  let text: string;
  try {
    const { fd, stats } = openFile(path);
    try {
      if (stats.size > HLOG_LIMITS.bytes) {
        return err(`${path}: it has ${stats.size} bytes, more than the ${HLOG_LIMITS.bytes} that are read`);
      }
      text = readFileSync(fd, "utf8");
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    return err(`${path} cannot be read: ${(error as Error).message}`);
  }
  const log = readHlog(text);
  return log.ok ? log : err(`${path}: ${log.error}`);
}
