/** `--reader-limit NAME=VALUE`: raises or lowers how much of a file is read at most. */
import { err, ok } from "../../base/result.js";
import {
  READER_LIMITS,
  type ReaderLimitName,
  type ReaderLimits,
  USUAL_READER_LIMITS,
} from "../../collect/files/reader-limits.js";
import { type Option, repeated, textOption } from "../frame/options.js";
import { parseSize } from "../frame/options-window.js";

const NAMES = Object.keys(READER_LIMITS) as readonly ReaderLimitName[];

/** Null if it is not a limit's name and value. */
function parseLimit(given: string): readonly [ReaderLimitName, number] | null {
  const [, word = "", value = ""] = /^([^=]*)=(.*)$/s.exec(given) ?? [];
  const name = NAMES.find((known) => known === word);
  if (name === undefined) return null;
  const { unit, most } = READER_LIMITS[name];
  const number = unit === "bytes" ? parseSize(value) : /^[1-9]\d{0,11}$/.test(value) ? Number(value) : null;
  return number === null || number > most ? null : [name, number];
}

const named = (unit: "bytes" | "count"): string => NAMES.filter((name) => READER_LIMITS[name].unit === unit).join(", ");

const option = repeated(
  textOption("NAME=VALUE", "Change how much of a file is read, like kallsyms-bytes=512MiB (docs/reader-limits.md)"),
);

/** The limits to read with; of one named twice the last counts. */
export const readerLimitOption: Option<ReaderLimits> = {
  ...option,
  expected: `NAME=SIZE (like 512MiB) for one of ${named("bytes")}, or NAME=N for one of ${named("count")}, no more than docs/reader-limits.md says`,
  read: (texts) => {
    if (texts.length === 0) return ok(USUAL_READER_LIMITS);
    const limits: Record<ReaderLimitName, number> = { ...USUAL_READER_LIMITS };
    for (const given of texts) {
      const found = parseLimit(given);
      if (found === null) return err(given);
      limits[found[0]] = found[1];
    }
    return ok(limits);
  },
};
