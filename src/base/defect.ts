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

/** Receives defects. */
export interface DefectSink {
  defect(input: DefectInput): void;
}

/**
 * Collects defects in bounded memory: of each code in each file the first `keep` are kept whole, and all further ones
 * are counted in one more. A hostile file of bad lines costs no more than a short one, and every defect is counted.
 * With a sink to pass them on to, what is kept is passed on at once, and the rest by `finish`.
 */
export class DefectLog {
  readonly #kept: Defect[] = [];
  readonly #seen = new Map<string, { kept: number; overflow: Overflow | null }>();

  constructor(
    readonly passOn: DefectSink | null = null,
    readonly keep: number = 100,
  ) {}

  add(input: DefectInput): void {
    this.addOf(input.code, input.file, input.count ?? 1, () => input);
  }

  /** As `add`; `make` is called only for a defect whose text is needed. */
  addOf(code: string, file: string, count: number, make: () => DefectInput): void {
    const key = `${code}\0${file}`;
    const seen = this.#seen.get(key) ?? { kept: 0, overflow: null };
    this.#seen.set(key, seen);
    if (seen.kept < this.keep) {
      seen.kept += 1;
      const found = defect(make());
      this.#kept.push(found);
      this.passOn?.defect(found);
    } else if (seen.overflow === null) {
      seen.overflow = { first: defect(make()), count, added: 1 };
    } else {
      seen.overflow.count += count;
      seen.overflow.added += 1;
    }
  }

  /** One for each code and file with more than `keep`: it says how many it stands for. */
  #overflow(): readonly Defect[] {
    return [...this.#seen.values()].flatMap(({ overflow }) => {
      if (overflow === null) return [];
      const { first, count, added } = overflow;
      // A single one may stand for many by itself; its own message states how many.
      if (added === 1) return [{ ...first, count }];
      return [
        { ...first, count, message: `${count.toLocaleString("en")} more of the same, the first: ${first.message}` },
      ];
    });
  }

  /** Passes on what was counted together. */
  finish(): void {
    for (const found of this.#overflow()) this.passOn?.defect(found);
  }

  /** Every defect, in the order found; those that stand for many last. */
  all(): readonly Defect[] {
    return [...this.#kept, ...this.#overflow()];
  }

  /** How many defects were added, counting each by the number it stands for. */
  total(): number {
    return this.all().reduce((sum, found) => sum + found.count, 0);
  }
}

/** Defects beyond those that are kept: `added` of them, which stand for `count`. */
interface Overflow {
  readonly first: Defect;
  count: number;
  added: number;
}
