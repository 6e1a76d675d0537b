/** What lies at a path that a user gave. */
import { type Stats, statSync } from "node:fs";

/**
 * Null if the path cannot be examined, for any reason: no such entry, a file where a folder should be (`a.tar.gz/`), a
 * name too long, a circle of links, no permission. Opening the path then reports which.
 */
export function statsOf(path: string): Stats | null {
  try {
    return statSync(path);
  } catch {
    return null;
  }
}
