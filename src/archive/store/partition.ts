/**
 * The Hive layout: which folder an update's rows go to. Engines prune by it; the columns in the files are the truth.
 */
import { createHash } from "node:crypto";
import type { UpdateSample } from "../../model/update-sample.js";

/** What Hive calls the folder of a value that is null. */
const NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__";
/** A file name may have 255 bytes, the key's included. */
const LONGEST_VALUE = 100;

const FIRST_DAY = 0;
/** 2299-12-31, the last day that ClickHouse's Date32 holds. */
const LAST_DAY = 120_529;

/** Days since 1970, UTC; null if the time is not known, or no engine's date would hold it. */
export function dayOf(takenAtMs: number | null): number | null {
  if (takenAtMs === null) return null;
  const day = Math.floor(takenAtMs / 86_400_000);
  return day >= FIRST_DAY && day <= LAST_DAY ? day : null;
}

/** `2026-11-24` */
function dayText(day: number): string {
  return new Date(day * 86_400_000).toISOString().slice(0, 10);
}

/** `by_kernel=7.3.4/by_day=2026-11-24`; keys as in PARTITION_KEYS, or `label.NAME`. */
export function partitionOf(sample: UpdateSample, keys: readonly string[]): string {
  return keys.map((key) => `by_${folderKey(key)}=${folderValue(partitionValue(sample, key))}`).join("/");
}

function partitionValue({ kernel, probeLevel, labels, takenAtMs }: UpdateSample, key: string): string | null {
  switch (key) {
    case "kernel":
      return kernel.new;
    case "kernel_old":
      return kernel.old;
    case "probe_level":
      return probeLevel;
    case "workload":
      return labels.workload ?? null;
    case "day": {
      const day = dayOf(takenAtMs);
      return day === null ? null : dayText(day);
    }
    default: {
      // `__proto__` may be a label: only own properties count.
      const label = key.slice("label.".length);
      return Object.hasOwn(labels, label) ? (labels[label] as string) : null;
    }
  }
}

/**
 * Whether a folder of the layout can hold updates whose value of `key` passes a test. Null: a folder of updates that
 * have no value, or an empty one. True if the folder does not decide it: it is not divided by the key, or the value was
 * cut.
 */
export function partitionCanHold(
  partition: string,
  keys: readonly string[],
  key: string,
  test: (value: string | null) => boolean,
): boolean {
  const at = keys.indexOf(key);
  const folder = at < 0 ? undefined : partition.split("/")[at];
  const prefix = `by_${folderKey(key)}=`;
  if (folder === undefined || !folder.startsWith(prefix)) return true;
  const value = folder.slice(prefix.length);
  if (value === NULL_PARTITION) return test(null);
  if (value.includes("~")) return true;
  try {
    return test(decodeURIComponent(value));
  } catch {
    return true;
  }
}

/** Engines take the key as a column's name. */
function folderKey(key: string): string {
  return key.replaceAll(/[^A-Za-z0-9_]/g, "_").toLowerCase();
}

/**
 * Percent-encoded as in Hive, except for characters that every engine keeps; a long value is cut, and distinguished by
 * a hash.
 */
export function folderValue(value: string | null): string {
  if (value === null || value === "") return NULL_PARTITION;
  if (value.length <= LONGEST_VALUE && /^[A-Za-z0-9_-][A-Za-z0-9._-]*$/.test(value)) return value;
  const encoded = [...Buffer.from(value)]
    .map((byte) => {
      const character = String.fromCharCode(byte);
      return /[A-Za-z0-9._-]/.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
    })
    .join("");
  if (encoded.length <= LONGEST_VALUE && !/^\.+$/.test(encoded)) return encoded;
  const hash = createHash("sha256").update(value).digest("hex").slice(0, 12);
  return `${encoded.slice(0, LONGEST_VALUE - 13).replace(/%[0-9A-F]?$/, "")}~${hash}`;
}
