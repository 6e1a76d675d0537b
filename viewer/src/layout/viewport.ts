/** The viewport: the visible part of an axis, and how it maps to pixels. All functions are pure. */

export interface View {
  readonly beginNs: number;
  readonly endNs: number;
}

/** No closer than this: times are integers, and ten of them span the window. */
const NARROWEST_NS = 10;
/** The farthest zoom: this many times the extent of the data. */
const WIDEST = 1.5;

export function nsPerPixel(view: View, width: number): number {
  return (view.endNs - view.beginNs) / Math.max(1, width);
}

export function xOf(view: View, width: number, ns: number): number {
  return ((ns - view.beginNs) / (view.endNs - view.beginNs)) * width;
}

export function nsAt(view: View, width: number, x: number): number {
  return view.beginNs + (x / Math.max(1, width)) * (view.endNs - view.beginNs);
}

/** `view` scaled by `factor` (below 1: closer) about the instant `centreNs`, which stays where it is on the screen. */
export function zoomed(view: View, bounds: readonly [number, number], centreNs: number, factor: number): View {
  const old = view.endNs - view.beginNs;
  const widest = Math.max(NARROWEST_NS, (bounds[1] - bounds[0]) * WIDEST);
  const width = Math.min(widest, Math.max(NARROWEST_NS, old * factor));
  const share = (centreNs - view.beginNs) / old;
  return held({ beginNs: centreNs - share * width, endNs: centreNs + (1 - share) * width }, bounds);
}

export function panned(view: View, bounds: readonly [number, number], byNs: number): View {
  return held({ beginNs: view.beginNs + byNs, endNs: view.endNs + byNs }, bounds);
}

/** A view of the interval, with a margin on both sides; an instant gets a microsecond. */
export function fitted(bounds: readonly [number, number], beginNs: number, endNs: number): View {
  const air = Math.max((endNs - beginNs) * 0.1, NARROWEST_NS);
  const width = endNs - beginNs + 2 * air;
  const least = endNs > beginNs ? NARROWEST_NS : 1000;
  const centre = (beginNs + endNs) / 2;
  return held({ beginNs: centre - Math.max(width, least) / 2, endNs: centre + Math.max(width, least) / 2 }, bounds);
}

/** Keeps a tenth of the window over the data, so that panning cannot lose it. */
function held(view: View, bounds: readonly [number, number]): View {
  const width = view.endNs - view.beginNs;
  const least = bounds[0] - width * 0.9;
  const most = bounds[1] - width * 0.1;
  const begin = Math.min(Math.max(view.beginNs, least), most);
  return { beginNs: begin, endNs: begin + width };
}
