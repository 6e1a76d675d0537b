/**
 * All the state there is, and the one function that changes it. Every view is a function of this state; events become
 * actions; nothing else remembers anything.
 */
import type { ReportIndex } from "../../../src/analyze/report-data.js";
import { assertNever } from "../../../src/base/result.js";
import type { Hit } from "../layout/scene.js";
import { fitted, panned, type View, zoomed } from "../layout/viewport.js";
import type { Axis, Timeline } from "../model/timeline.js";

export type Theme = "light" | "dark";

export type Selection = Exclude<Hit, { readonly what: "group" }>;

export interface Range {
  /** Index of the axis. */
  readonly axis: number;
  readonly beginNs: number;
  readonly endNs: number;
}

export type Opened =
  | { readonly what: "loading"; readonly index: number }
  | { readonly what: "ready"; readonly index: number; readonly timeline: Timeline }
  | { readonly what: "failed"; readonly index: number; readonly reason: string };

/** Where the pointer is over a timeline: on `axis`, at pixels from its corner. */
export interface Pointer {
  readonly axis: number;
  readonly x: number;
  readonly y: number;
  readonly hit: Hit | null;
}

export interface State {
  readonly index: ReportIndex;
  readonly opened: Opened;
  /** One view for each axis of the opened timeline. */
  readonly views: readonly View[];
  readonly selection: Selection | null;
  readonly range: Range | null;
  readonly pointer: Pointer | null;
  /** Ids of groups shown as a heading only. */
  readonly folded: ReadonlySet<string>;
  /** Names of curves left out of the plots. */
  readonly hiddenCurves: ReadonlySet<string>;
  readonly logScale: boolean;
  readonly theme: Theme;
  readonly help: boolean;
}

export type Action =
  | { readonly what: "opening"; readonly index: number }
  | { readonly what: "opened"; readonly index: number; readonly timeline: Timeline }
  | { readonly what: "open-failed"; readonly index: number; readonly reason: string }
  | { readonly what: "zoom"; readonly axis: number; readonly centreNs: number; readonly factor: number }
  | { readonly what: "pan"; readonly axis: number; readonly byNs: number }
  | { readonly what: "fit"; readonly axis: number; readonly beginNs: number; readonly endNs: number }
  | { readonly what: "reset" }
  | { readonly what: "select"; readonly selection: Selection | null }
  | { readonly what: "range"; readonly range: Range | null }
  | { readonly what: "clear" }
  | { readonly what: "point"; readonly pointer: Pointer | null }
  | { readonly what: "fold"; readonly id: string }
  | { readonly what: "curve"; readonly name: string }
  | { readonly what: "log-scale" }
  | { readonly what: "theme"; readonly theme: Theme }
  | { readonly what: "help"; readonly shown: boolean };

export function initialState(index: ReportIndex, theme: Theme): State {
  return {
    index,
    opened: { what: "loading", index: 0 },
    views: [],
    selection: null,
    range: null,
    pointer: null,
    folded: new Set(),
    hiddenCurves: new Set(),
    logScale: false,
    theme,
    help: false,
  };
}

export function timelineOf(state: State): Timeline | null {
  return state.opened.what === "ready" ? state.opened.timeline : null;
}

function homeOf(axis: Axis): View {
  return { beginNs: axis.homeNs[0], endNs: axis.homeNs[1] };
}

function withView(state: State, axis: number, change: (view: View, of: Axis) => View): State {
  const of = timelineOf(state)?.axes[axis];
  if (of === undefined) return state;
  return { ...state, views: state.views.map((view, i) => (i === axis ? change(view, of) : view)) };
}

function toggled(set: ReadonlySet<string>, member: string): ReadonlySet<string> {
  const next = new Set(set);
  if (!next.delete(member)) next.add(member);
  return next;
}

export function reduce(state: State, action: Action): State {
  switch (action.what) {
    case "opening":
      return {
        ...state,
        opened: { what: "loading", index: action.index },
        views: [],
        selection: null,
        range: null,
        pointer: null,
      };
    case "opened":
      // An answer to a question no longer asked: another update was opened meanwhile.
      if (action.index !== state.opened.index) return state;
      return {
        ...state,
        opened: { what: "ready", index: action.index, timeline: action.timeline },
        views: action.timeline.axes.map(homeOf),
      };
    case "open-failed":
      if (action.index !== state.opened.index) return state;
      return { ...state, opened: { what: "failed", index: action.index, reason: action.reason } };
    case "zoom":
      return withView(state, action.axis, (view, of) => zoomed(view, of.boundsNs, action.centreNs, action.factor));
    case "pan":
      return withView(state, action.axis, (view, of) => panned(view, of.boundsNs, action.byNs));
    case "fit":
      return withView(state, action.axis, (_, of) => fitted(of.boundsNs, action.beginNs, action.endNs));
    case "reset":
      return { ...state, views: timelineOf(state)?.axes.map(homeOf) ?? [] };
    case "select":
      return { ...state, selection: action.selection };
    case "range":
      return { ...state, range: action.range };
    case "clear":
      return { ...state, selection: null, range: null, help: false };
    case "point":
      return { ...state, pointer: action.pointer };
    case "fold":
      return { ...state, folded: toggled(state.folded, action.id) };
    case "curve":
      return { ...state, hiddenCurves: toggled(state.hiddenCurves, action.name) };
    case "log-scale":
      return { ...state, logScale: !state.logScale };
    case "theme":
      return { ...state, theme: action.theme };
    case "help":
      return { ...state, help: action.shown };
    default:
      return assertNever(action);
  }
}
