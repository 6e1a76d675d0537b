import type { Boot } from "./time.js";

/**
 * Something in a capture that could not be decoded, or is missing: kept, placed, counted, shown; never thrown.
 * `message` is one sentence: what was found, what was expected. `advice` is what to do about it.
 */
export interface Defect {
  /** Stable, kebab-case: `ring-lost`, `text-undecoded`, … listed in docs/capture-format.md. */
  readonly code: string;
  /**
   * `note`: no answer depends on it; `warning`: an answer is less certain; `error`: an answer is missing because of it.
   */
  readonly severity: "note" | "warning" | "error";
  /** Path inside the capture, with forward slashes. */
  readonly file: string;
  /** 1-based line, if the file is text. */
  readonly line: number | null;
  /** Byte offset, if the file is binary. */
  readonly byte: number | null;
  readonly message: string;
  readonly advice: string;
  readonly boot: Boot | null;
  /** When it was, in counts of its boot's trace clock, if known. */
  readonly time: bigint | null;
  /** How many of the same code in the same file this one stands for (>= 1). */
  readonly count: number;
}

export type DefectInput = Pick<Defect, "code" | "severity" | "file" | "message" | "advice"> &
  Partial<Pick<Defect, "line" | "byte" | "boot" | "time" | "count">>;

export function defect(input: DefectInput): Defect {
  return { line: null, byte: null, boot: null, time: null, count: 1, ...input };
}

/**
 * Collects defects in bounded memory: of each code in each file the first `keep` are kept whole, and all further ones
 * are counted in one more, so that a hostile file of bad lines costs no more than a short one and nothing goes
 * uncounted.
 */
export class DefectLog {
  readonly #kept: Defect[] = [];
  readonly #seen = new Map<string, { kept: number; overflow: { defect: Defect; count: number } | null }>();

  constructor(readonly keep: number = 100) {}

  add(input: DefectInput): void {
    const found = defect(input);
    const key = `${found.code}\0${found.file}`;
    const seen = this.#seen.get(key) ?? { kept: 0, overflow: null };
    this.#seen.set(key, seen);
    if (seen.kept < this.keep) {
      seen.kept += 1;
      this.#kept.push(found);
    } else if (seen.overflow === null) {
      seen.overflow = { defect: found, count: found.count };
    } else {
      seen.overflow.count += found.count;
    }
  }

  /** Every defect, in the order found; overflow entries last, each with the number it stands for. */
  all(): readonly Defect[] {
    const overflow: Defect[] = [];
    for (const { overflow: more } of this.#seen.values()) {
      if (more !== null) {
        overflow.push({
          ...more.defect,
          count: more.count,
          message: `${more.count.toLocaleString("en")} more of the same, the first: ${more.defect.message}`,
        });
      }
    }
    return [...this.#kept, ...overflow];
  }

  /** How many defects were added, counting each by the number it stands for. */
  total(): number {
    return this.all().reduce((sum, found) => sum + found.count, 0);
  }
}
