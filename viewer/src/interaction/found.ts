/** The matches of the state's query, computed once per timeline and query. */
import { type Found, search } from "../model/search.js";
import type { Timeline } from "../model/timeline.js";

const made = new WeakMap<Timeline, { readonly query: string; readonly found: Found | null }>();

export function foundIn(timeline: Timeline, query: string): Found | null {
  const known = made.get(timeline);
  if (known?.query === query) return known.found;
  const found = search(timeline.update, query);
  made.set(timeline, { query, found });
  return found;
}
