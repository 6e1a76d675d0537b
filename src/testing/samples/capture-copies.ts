/** Many captures from few: copies of a shipped one under names of their own, which are updates of their own. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";

/** Names of two characters, so that a tar's sizes stay as they are. */
function shortName(index: number): string {
  const digits = "abcdefghijklmnopqrstuvwxyz";
  return `${digits[Math.floor(index / 26) % 26]}${digits[index % 26]}`;
}

/**
 * `count` unpacked tar archives of the captures in a folder of .tar.gz, in turn, each with another name in its
 * capture.json; from the `first`-th name on. At most 676 a capture.
 */
export function captureCopies(folder: string, count: number, first = 0): readonly Buffer[] {
  const originals = readdirSync(folder)
    .filter((name) => name.endsWith(".tar.gz"))
    .sort()
    .map((name) => gunzipSync(readFileSync(join(folder, name))));
  return Array.from({ length: count }, (_, i) => {
    const copy = Buffer.from(originals[i % originals.length]!);
    const at = copy.indexOf('"name": "');
    if (at < 0) throw new Error(`${folder}: a capture has no name`);
    copy.write(shortName(first + Math.floor(i / originals.length)), at + '"name": "'.length, "latin1");
    return copy;
  });
}
