/**
 * Every histogram has one layout, so that any two add up without loss: from 1 ns, since a phase may last microseconds,
 * to 24 h, which no live update reaches; 3 significant digits (at most 1/1,024 of a value is lost to its bucket) are
 * finer than any clock link's ±. That takes 37 x 1,024 counts, 300 KiB.
 */
export const HISTOGRAM_LOWEST_NS = 1;
export const HISTOGRAM_HIGHEST_NS = 24 * 3600 * 1e9;
export const HISTOGRAM_DIGITS = 3;
