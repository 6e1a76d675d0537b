/** What lies at a path that a user gave. */
import { type Stats, statSync } from "node:fs";

/**
 * Null where nothing can be seen, for whatever reason: no such entry, a file where a folder should be (`a.tar.gz/`), a
 * name too long, a circle of links, no permission. Whoever opens it then says which.
 */
export function statsOf(path: string): Stats | null {
  try {
    return statSync(path);
  } catch {
    return null;
  }
}
