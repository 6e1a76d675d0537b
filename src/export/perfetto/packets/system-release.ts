/**
 * By the release trace_processor chooses which bits prev_state has; without one that it can read, it takes 4.4's
 * (src/trace_processor/importers/common/system_info_tracker.cc: a major and a minor number, each ended by a dot). What
 * is written here has the bits of 4.14 and later, whatever kernel it is from.
 */
const READABLE = /^\d{1,9}\.\d{1,9}\./;
const TWO_NUMBERS = /^(\d{1,9}\.\d{1,9})(?=$|[^\d.])/;

/** A release that trace_processor can read: `7.3-luo` becomes `7.3.0-luo`; an unknown one is stated as such. */
export function readableRelease(release: string | null): string {
  if (release !== null && READABLE.test(release)) return release;
  if (release !== null && TWO_NUMBERS.test(release)) return release.replace(TWO_NUMBERS, "$1.0");
  return release === null ? "4.14.0 or later" : `4.14.0 or later (${release})`;
}
