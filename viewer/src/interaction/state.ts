/**
 * All state, and the one function that changes it. Every view is a function of this state; events become actions. Other
 * modules keep only caches that can be computed again.
 */

import { assertNever } from "../../../src/base/result.js";
import type { ReportEntry } from "../../../src/report/report-index.js";
import type { Hit } from "../layout/scene.js";
import { fitted, panned, type View, zoomed } from "../layout/viewport.js";
import { above, analysisOf } from "../model/analysis.js";
import { type Timeline, type TimelineAxis, withAnalysis } from "../model/timeline.js";

export type Theme = "light" | "dark";

export const PAGES = ["updates", "timeline", "compare"] as const;
export type Page = (typeof PAGES)[number];

export const PANELS = ["details", "about", "tree", "whatif", "findings", "spans"] as const;
export type Panel = (typeof PANELS)[number];

export type Selection = Exclude<Hit, { readonly what: "group" }>;

export interface AxisRange {
  /** Index of the axis. */
  readonly axis: number;
  readonly beginNs: number;
  readonly endNs: number;
}

/** A marked instant, with its note. */
export interface NotedInstant {
  readonly axis: number;
  readonly atNs: number;
  readonly note: string;
}

export type Opened =
  | { readonly what: "none" }
  | { readonly what: "loading"; readonly index: number }
  | { readonly what: "ready"; readonly index: number; readonly timeline: Timeline }
  | { readonly what: "failed"; readonly index: number; readonly reason: string };

/** Which of two updates side by side. */
export type Side = "one" | "other";

/** Where the pointer is over a timeline: on `axis`, at pixels from its corner. */
export interface Pointer {
  readonly side: Side;
  readonly axis: number;
  readonly x: number;
  readonly y: number;
  readonly hit: Hit | null;
}

/** The part of the opened update's state that a link can carry; `views` is empty for home. */
export interface LinkedPlace {
  readonly views: readonly View[];
  readonly selection: Selection | null;
  readonly range: AxisRange | null;
  readonly marks: readonly NotedInstant[];
}

export interface Sort {
  readonly by: string;
  readonly descending: boolean;
}

export interface Notice {
  /** Increases, so that the same text twice is two notices. */
  readonly id: number;
  readonly error: boolean;
  readonly text: string;
}

export interface State {
  readonly title: string;
  readonly entries: readonly ReportEntry[];
  readonly page: Page;
  readonly panel: Panel;
  readonly opened: Opened;
  /** The second of two updates side by side. */
  readonly other: Opened;
  /** One view for each axis of the opened timeline. */
  readonly views: readonly View[];
  readonly selection: Selection | null;
  readonly range: AxisRange | null;
  readonly marks: readonly NotedInstant[];
  /** Index of the mark whose note is being edited. */
  readonly noting: number | null;
  /** To be restored when the update named by a link has been read. */
  readonly pending: LinkedPlace | null;
  readonly pointer: Pointer | null;
  /** Ids of groups shown as a heading only. */
  readonly folded: ReadonlySet<string>;
  readonly query: string;
  readonly showChain: boolean;
  /** Tree nodes (by number) whose children are shown. */
  readonly unfolded: ReadonlySet<number>;
  /**
   * By selector, the share of its duration that a cause would still take: 0 to 1; and the causes that would run in
   * parallel.
   */
  readonly costs: ReadonlyMap<string, number>;
  readonly parallel: ReadonlySet<string>;
  /** Names of curves left out of the plots. */
  readonly hiddenCurves: ReadonlySet<string>;
  readonly logScale: boolean;
  readonly filter: string;
  /** A line in the plots, and what is counted above it. */
  readonly budgetNs: number | null;
  readonly sort: Sort | null;
  readonly theme: Theme;
  /** Whether the user chose the theme, so that a link carries it. */
  readonly themeChosen: boolean;
  readonly help: boolean;
  readonly notices: readonly Notice[];
}

export type Action =
  | { readonly what: "added"; readonly entries: readonly ReportEntry[]; readonly title: string | null }
  | { readonly what: "opening"; readonly index: number }
  | { readonly what: "opened"; readonly index: number; readonly timeline: Timeline }
  | { readonly what: "open-failed"; readonly index: number; readonly reason: string }
  | { readonly what: "comparing"; readonly index: number | null }
  | { readonly what: "page"; readonly page: Page }
  | { readonly what: "panel"; readonly panel: Panel }
  | { readonly what: "zoom"; readonly axis: number; readonly centreNs: number; readonly factor: number }
  | { readonly what: "pan"; readonly axis: number; readonly byNs: number }
  | { readonly what: "fit"; readonly axis: number; readonly beginNs: number; readonly endNs: number }
  | { readonly what: "reset" }
  | { readonly what: "select"; readonly selection: Selection | null }
  | { readonly what: "range"; readonly range: AxisRange | null }
  | { readonly what: "mark"; readonly mark: NotedInstant }
  | { readonly what: "note"; readonly index: number; readonly note: string }
  | { readonly what: "noting-done" }
  | { readonly what: "unmark"; readonly index: number }
  | { readonly what: "clear" }
  | { readonly what: "point"; readonly pointer: Pointer | null }
  | { readonly what: "fold"; readonly id: string }
  | { readonly what: "query"; readonly query: string }
  | { readonly what: "chain" }
  | { readonly what: "analyse" }
  | { readonly what: "unfold"; readonly node: number }
  | { readonly what: "cost"; readonly selector: string; readonly share: number }
  | { readonly what: "parallel"; readonly selector: string }
  | { readonly what: "curve"; readonly name: string }
  | { readonly what: "log-scale" }
  | { readonly what: "filter"; readonly filter: string }
  | { readonly what: "budget"; readonly ns: number | null }
  | { readonly what: "sort"; readonly by: string }
  | { readonly what: "theme"; readonly theme: Theme }
  | { readonly what: "help"; readonly shown: boolean }
  | { readonly what: "notice"; readonly text: string; readonly error: boolean }
  | { readonly what: "dismiss"; readonly id: number }
  | { readonly what: "restore"; readonly saved: Partial<State> };

export function initialState(title: string, entries: readonly ReportEntry[], theme: Theme): State {
  return {
    title,
    entries,
    page: entries.length > 1 ? "updates" : "timeline",
    panel: "about",
    opened: { what: "none" },
    other: { what: "none" },
    views: [],
    selection: null,
    range: null,
    marks: [],
    noting: null,
    pending: null,
    pointer: null,
    folded: new Set(),
    query: "",
    showChain: false,
    unfolded: new Set(),
    costs: new Map(),
    parallel: new Set(),
    hiddenCurves: new Set(),
    logScale: false,
    filter: "",
    budgetNs: null,
    sort: null,
    theme,
    themeChosen: false,
    help: false,
    notices: [],
  };
}

export function timelineOf(state: State): Timeline | null {
  return state.opened.what === "ready" ? state.opened.timeline : null;
}

export function timelineOn(state: State, side: Side): Timeline | null {
  const opened = side === "one" ? state.opened : state.other;
  return opened.what === "ready" ? opened.timeline : null;
}

/** Index of the opened (or opening) update; -1 while there is none. */
export function openedIndex(opened: Opened): number {
  return opened.what === "none" ? -1 : opened.index;
}

/** The tree opened down to a node. */
function opensTo(state: State, node: number): ReadonlySet<number> {
  const timeline = timelineOf(state);
  if (timeline === null) return state.unfolded;
  return new Set([...state.unfolded, ...above(analysisOf(timeline.update), node)]);
}

/** The timelines that share a view: two updates side by side do. */
function sharing(state: State): readonly Timeline[] {
  const both = state.page === "compare" ? [timelineOf(state), timelineOn(state, "other")] : [timelineOf(state)];
  return both.filter((timeline) => timeline !== null);
}

function union(
  state: State,
  axis: number,
  of: (axis: TimelineAxis) => readonly [number, number],
): readonly [number, number] {
  const ranges = sharing(state).flatMap(({ axes }) => (axes[axis] === undefined ? [] : [of(axes[axis])]));
  return [Math.min(...ranges.map(([begin]) => begin)), Math.max(...ranges.map(([, end]) => end))];
}

/** All axes at home. */
function homeViews(state: State): readonly View[] {
  const axes = timelineOf(state)?.axes ?? [];
  return axes.map((_, axis) => {
    const [beginNs, endNs] = union(state, axis, ({ homeNs }) => homeNs);
    return { beginNs, endNs };
  });
}

function withView(state: State, axis: number, change: (view: View, bounds: readonly [number, number]) => View): State {
  if (timelineOf(state)?.axes[axis] === undefined) return state;
  const bounds = union(state, axis, ({ boundsNs }) => boundsNs);
  return { ...state, views: state.views.map((view, i) => (i === axis ? change(view, bounds) : view)) };
}

function toggled<T>(set: ReadonlySet<T>, member: T): ReadonlySet<T> {
  const next = new Set(set);
  if (!next.delete(member)) next.add(member);
  return next;
}

/** A view at home stays at home, although home differs between pages. */
function atHomeAs(next: State, before: State): State {
  const home = homeViews(before);
  const was = before.views.every((view, i) => view.beginNs === home[i]?.beginNs && view.endNs === home[i]?.endNs);
  return was ? { ...next, views: homeViews(next) } : next;
}

const NOTHING_CHOSEN = {
  views: [],
  selection: null,
  range: null,
  marks: [],
  noting: null,
  pointer: null,
  unfolded: new Set<number>(),
  costs: new Map<string, number>(),
  parallel: new Set<string>(),
} as const;

export function reduce(state: State, action: Action): State {
  switch (action.what) {
    case "added":
      return {
        ...state,
        title: action.title ?? state.title,
        entries: [...state.entries, ...action.entries],
        page: state.entries.length + action.entries.length > 1 ? "updates" : "timeline",
      };
    case "opening":
      return {
        ...state,
        ...NOTHING_CHOSEN,
        opened: { what: "loading", index: action.index },
        page: state.page === "compare" ? "compare" : "timeline",
        panel: state.panel === "details" ? "about" : state.panel,
      };
    case "opened": {
      const { index, timeline } = action;
      let next = state;
      if (state.other.what === "loading" && state.other.index === index) {
        next = atHomeAs({ ...next, other: { what: "ready", index, timeline } }, next);
      }
      // A stale answer: another update was opened in the meantime.
      if (state.opened.what !== "loading" || state.opened.index !== index) return next;
      const { pending } = state;
      next = { ...next, opened: { what: "ready", index, timeline } };
      return {
        ...next,
        views: homeViews(next).map((home, i) => pending?.views[i] ?? home),
        selection: pending?.selection ?? null,
        range: pending?.range ?? null,
        marks: pending?.marks ?? [],
        panel: pending !== null && (pending.selection ?? pending.range) !== null ? "details" : state.panel,
        pending: null,
      };
    }
    case "open-failed": {
      const failed = { what: "failed", index: action.index, reason: action.reason } as const;
      const is = (opened: Opened) => opened.what === "loading" && opened.index === action.index;
      return {
        ...state,
        opened: is(state.opened) ? failed : state.opened,
        other: is(state.other) ? failed : state.other,
      };
    }
    case "comparing":
      return {
        ...state,
        page: "compare",
        other: action.index === null ? { what: "none" } : { what: "loading", index: action.index },
      };
    case "page":
      return atHomeAs({ ...state, page: action.page, pointer: null }, state);
    case "panel":
      return { ...state, panel: action.panel };
    case "zoom":
      return withView(state, action.axis, (view, bounds) => zoomed(view, bounds, action.centreNs, action.factor));
    case "pan":
      return withView(state, action.axis, (view, bounds) => panned(view, bounds, action.byNs));
    case "fit":
      return withView(state, action.axis, (_, bounds) => fitted(bounds, action.beginNs, action.endNs));
    case "reset":
      return { ...state, views: homeViews(state) };
    case "select":
      return {
        ...state,
        selection: action.selection,
        panel: action.selection === null ? state.panel : "details",
        unfolded: action.selection?.what === "node" ? opensTo(state, action.selection.node) : state.unfolded,
      };
    case "range":
      return { ...state, range: action.range, panel: action.range === null ? state.panel : "details" };
    case "mark":
      return { ...state, marks: [...state.marks, action.mark], noting: state.marks.length, panel: "details" };
    case "note":
      return {
        ...state,
        marks: state.marks.map((mark, i) => (i === action.index ? { ...mark, note: action.note } : mark)),
      };
    case "noting-done":
      return { ...state, noting: null };
    case "unmark":
      return { ...state, marks: state.marks.filter((_, i) => i !== action.index), noting: null };
    case "clear":
      return {
        ...state,
        selection: null,
        range: null,
        help: false,
        query: "",
        noting: null,
        // No selection has no details: back to the start.
        panel: state.panel === "details" && state.marks.length === 0 ? "about" : state.panel,
      };
    case "point":
      return { ...state, pointer: action.pointer };
    case "fold":
      return { ...state, folded: toggled(state.folded, action.id) };
    case "query":
      return { ...state, query: action.query };
    case "chain":
      return { ...state, showChain: !state.showChain };
    case "analyse": {
      const { opened } = state;
      if (opened.what !== "ready") return state;
      return { ...state, opened: { ...opened, timeline: withAnalysis(opened.timeline) } };
    }
    case "unfold":
      return { ...state, unfolded: toggled(state.unfolded, action.node) };
    case "cost": {
      const costs = new Map(state.costs);
      if (action.share === 1) costs.delete(action.selector);
      else costs.set(action.selector, action.share);
      return { ...state, costs };
    }
    case "parallel":
      return { ...state, parallel: toggled(state.parallel, action.selector) };
    case "curve":
      return { ...state, hiddenCurves: toggled(state.hiddenCurves, action.name) };
    case "log-scale":
      return { ...state, logScale: !state.logScale };
    case "filter":
      return { ...state, filter: action.filter };
    case "budget":
      return { ...state, budgetNs: action.ns };
    case "sort": {
      const { sort } = state;
      if (sort?.by !== action.by) return { ...state, sort: { by: action.by, descending: true } };
      return { ...state, sort: sort.descending ? { by: action.by, descending: false } : null };
    }
    case "theme":
      return { ...state, theme: action.theme, themeChosen: true };
    case "help":
      return { ...state, help: action.shown };
    case "notice": {
      const id = (state.notices.at(-1)?.id ?? 0) + 1;
      // Errors stay until they are dismissed; of other notices only the last is shown.
      const kept = state.notices.filter((notice) => notice.error).slice(-8);
      return { ...state, notices: [...kept, { id, error: action.error, text: action.text }] };
    }
    case "dismiss":
      return { ...state, notices: state.notices.filter((notice) => notice.id !== action.id) };
    case "restore":
      return { ...state, ...action.saved };
    default:
      return assertNever(action);
  }
}
