/** Whether files are still what was committed. A flipped bit in a Parquet file is read without an error otherwise. */
import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { firstLine } from "../engine.js";
import { type Segment, type SegmentFile, TABLE_NAMES, type TableName } from "../format.js";
import { isCode } from "./durable.js";

/** A file of a segment that is not what was committed, and why; its segment is neither read nor merged. */
export interface Damage {
  readonly segment: Segment;
  /** Relative to the archive. */
  readonly path: string;
  readonly problem: string;
}

/** Files that are hashed at the same time. */
const AT_ONCE = 4;
const CHUNK_BYTES = 1 << 20;

/** A file's size and SHA-256. */
export async function digestOf(path: string): Promise<{ readonly bytes: number; readonly sha256: string }> {
  // Neither a link nor a FIFO is a file of an archive; the latter would block the open.
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    return await digestOfOpen(file);
  } finally {
    await file.close();
  }
}

async function digestOfOpen(file: FileHandle): Promise<{ readonly bytes: number; readonly sha256: string }> {
  const hash = createHash("sha256");
  const { size } = await file.stat();
  const buffer = Buffer.allocUnsafe(Math.max(1, Math.min(CHUNK_BYTES, size)));
  let bytes = 0;
  for (;;) {
    const { bytesRead } = await file.read(buffer, 0, buffer.length, bytes);
    if (bytesRead === 0) return { bytes, sha256: hash.digest("hex") };
    hash.update(buffer.subarray(0, bytesRead));
    bytes += bytesRead;
  }
}

/** What is wrong with a committed file; null: it is what was committed. */
export async function problemOfFile(root: string, file: SegmentFile): Promise<string | null> {
  try {
    const { bytes, sha256 } = await digestOf(join(root, file.path));
    if (bytes !== file.bytes) return `has ${bytes} bytes, expected ${file.bytes}: it was changed or cut`;
    return sha256 === file.sha256 ? null : "is not what was committed (its SHA-256 differs): it was changed";
  } catch (error) {
    if (isCode(error, "ELOOP")) return "is a symbolic link, expected a file";
    return isCode(error, "ENOENT") ? "is missing" : `cannot be read: ${firstLine(error)}`;
  }
}

/** The damage as a sentence, with what to do. */
export function damageSentence(root: string, { segment, path, problem }: Damage): string {
  const updates = segment.updates === 1 ? "the update" : `the ${segment.updates} updates`;
  return `${join(root, path)}: ${problem}; left out: ${updates} of its segment. Restore the file from a backup`;
}

/** Which files of one archive are sound: each is hashed once, and again only by `check`. */
export class Soundness {
  readonly #root: string;
  /** By path; null: sound. */
  readonly #checked = new Map<string, Damage | null>();

  constructor(root: string) {
    this.#root = root;
  }

  /** Damage found so far, by path. */
  get damage(): readonly Damage[] {
    const found = [...this.#checked.values()].filter((each) => each !== null);
    return found.sort((a, b) => (a.path < b.path ? -1 : 1));
  }

  /** The segments whose files of these tables are what was committed. */
  async sound(segments: readonly Segment[], tables: readonly TableName[] = TABLE_NAMES): Promise<readonly Segment[]> {
    const asked: (readonly [Segment, SegmentFile])[] = [];
    for (const segment of segments) {
      for (const file of segment.files) {
        if (tables.includes(file.table) && !this.#checked.has(file.path)) asked.push([segment, file]);
      }
    }
    let next = 0;
    const work = async (): Promise<void> => {
      for (let at = next++; at < asked.length; at = next++) {
        const [segment, file] = asked[at] as readonly [Segment, SegmentFile];
        await this.check(segment, file);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    return segments.filter(({ files }) =>
      files.every(({ table, path }) => !tables.includes(table) || this.#checked.get(path) === null),
    );
  }

  /** Hashes the file, also if it was before. */
  async check(segment: Segment, file: SegmentFile): Promise<Damage | null> {
    const problem = await problemOfFile(this.#root, file);
    const damage = problem === null ? null : { segment, path: file.path, problem };
    this.#checked.set(file.path, damage);
    return damage;
  }

  /** Forgets files of segments that are no longer live. */
  keepOnly(live: ReadonlyMap<string, Segment>): void {
    const paths = new Set([...live.values()].flatMap(({ files }) => files.map(({ path }) => path)));
    for (const path of this.#checked.keys()) if (!paths.has(path)) this.#checked.delete(path);
  }
}
