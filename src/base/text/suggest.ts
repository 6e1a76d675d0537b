/** "Did you mean …?": the nearest of the known words. */

/** Longer words are compared by their first 64 characters, so that a hostile word costs no more than a long one. */
const longestCompared = 64;

/**
 * Edit distance in which an insertion, a deletion, a substitution and a swap of two neighbours cost 1 each (optimal
 * string alignment, the restricted Damerau-Levenshtein distance), between the first 64 UTF-16 units of both.
 */
export function editDistance(a: string, b: string): number {
  const from = a.slice(0, longestCompared);
  const to = b.slice(0, longestCompared);
  let beforeLast: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, j) => j);
  for (let i = 1; i <= from.length; i++) {
    const row = [i];
    for (let j = 1; j <= to.length; j++) {
      const same = from[i - 1] === to[j - 1];
      let cost = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1]) {
        cost = Math.min(cost, beforeLast[j - 2]! + 1);
      }
      row.push(cost);
    }
    beforeLast = last;
    last = row;
  }
  return last[to.length]!;
}

/**
 * The candidate that `word` was most likely meant to be, or null if none is near: at most a third of the word's length
 * (and at least one edit) away, or, of three characters and more, the beginning of exactly one candidate.
 */
export function suggest(word: string, candidates: Iterable<string>): string | null {
  const lower = word.slice(0, longestCompared).toLowerCase();
  let nearest: string | null = null;
  let nearestDistance = Math.max(1, Math.floor(lower.length / 3)) + 1;
  const continued: string[] = [];
  for (const candidate of candidates) {
    const distance = editDistance(lower, candidate.toLowerCase());
    // One edit turns any one-letter word into any other, so such words are never similar.
    if (distance < nearestDistance && distance < Math.max(lower.length, candidate.length)) {
      nearest = candidate;
      nearestDistance = distance;
    }
    if (lower.length >= 3 && candidate.toLowerCase().startsWith(lower)) continued.push(candidate);
  }
  if (nearestDistance > 0 && continued.length === 1) return continued[0]!;
  return nearest;
}

/** `: did you mean X?`, or nothing if no candidate is near: to be appended to a message. */
export function didYouMean(word: string, candidates: Iterable<string>): string {
  const near = suggest(word, candidates);
  return near === null ? "" : `: did you mean ${near}?`;
}
