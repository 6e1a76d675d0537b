/** In which order a live update's tracks stand, and below which parents. */

/** Order of the tracks below a live update's own. */
export const Rank = {
  blackout: 0,
  phases: 1,
  seam: 2,
  tree: 3,
  chain: 4,
  devices: 5,
  silence: 6,
  sessions: 7,
  vms: 8,
  log: 9,
  initcalls: 11,
  kinds: 13,
  markers: 60,
  defects: 62,
  cpus: 63,
} as const;

/** The parent of a boot's tracks: one track for both boots, or one each if no clock link joins them. */
export interface Roots {
  readonly old: number;
  readonly new: number;
}

/** A bound on a time, in words. */
export const uncertaintyWords = (ns: number | null): string => (ns === null ? "uncertainty unknown" : `± ${ns} ns`);
