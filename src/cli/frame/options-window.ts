/** Windows and sizes as they are written on a command line: `7d`, `36h`, `512MiB`. */

/** Also Prometheus' own units, so that what is printed may be typed. */
const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, min: 60, h: 3_600, d: 86_400, w: 604_800 };
/** Ten years: no gate looks back further. */
const LONGEST_SECONDS = 3_660 * 86_400;

/** Whole seconds of `45s`, `90min`, `36h`, `7d`, `2w`; null if it is not of that form, zero, or above ten years. */
export function parseWindow(given: string): number | null {
  const match = /^(\d{1,9})(s|m|min|h|d|w)$/.exec(given);
  const seconds = match === null ? 0 : Number(match[1]) * (UNITS[match[2] ?? ""] ?? 0);
  return seconds > 0 && seconds <= LONGEST_SECONDS ? seconds : null;
}

const BINARY: Readonly<Record<string, number>> = { KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 };

/** Bytes of `512MiB`, `2GiB`; null if it is not of that form, is zero, or is above 1,023 GiB. */
export function parseSize(given: string): number | null {
  const match = /^(\d{1,9})\s?(KiB|MiB|GiB)$/.exec(given);
  const bytes = match === null ? 0 : Number(match[1]) * (BINARY[match[2] ?? ""] ?? 0);
  return bytes > 0 && bytes < 2 ** 40 ? bytes : null;
}

/** The shortest form that `parseSize` reads back as the same; for whole KiB. */
export function sizeText(bytes: number): string {
  const [unit, size] = Object.entries(BINARY).findLast(([, each]) => bytes % each === 0) ?? ["KiB", 1024];
  return `${bytes / size}${unit}`;
}
