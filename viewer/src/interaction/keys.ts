/**
 * From keys to actions. Letters go by their position on the keyboard (`event.code`), so that WASD is one cluster
 * everywhere.
 */

import { METRICS } from "../layout/scene.js";
import { nsAt } from "../layout/viewport.js";
import { notBuilt } from "../model/analysis.js";
import { inFlow } from "../model/flows.js";
import { nextFound } from "../model/search.js";
import { type GroupId, groupOfKind, type Timeline } from "../model/timeline.js";
import { foundIn } from "./found.js";
import type { Action, Selection, State } from "./state.js";
import { timelineOf } from "./state.js";
import { neighbour, placeOf, type Step } from "./targets.js";

export interface KeyPress {
  readonly code: string;
  readonly key: string;
  readonly shift: boolean;
}

const ZOOM_STEP = 1.25;
const PAN_STEP = 0.12;

/** What the help overlay lists; the same keys as below. */
export const KEYS: readonly (readonly [string, string])[] = [
  ["W  S", "zoom in and out at the pointer"],
  ["A  D", "pan left and right"],
  ["Ctrl wheel", "zoom at the pointer; without Ctrl: scroll the lanes, over the head: zoom"],
  ["Shift wheel", "pan"],
  ["drag", "select a range: its duration, its causes, the owner of each nanosecond"],
  ["Shift drag", "pan"],
  ["click", "select; double-click: fit; double-click outside all spans: the whole update"],
  [".  ,", "next and previous span in the lane; also → and ←"],
  ["↑  ↓", "enclosing span, enclosed span"],
  ["[  ]", "follow a device, file or session backward and forward, across the kexec"],
  ["F", "fit the selection, or the range"],
  ["0", "back to the whole update"],
  ["/", "search; Enter and Shift Enter step through the matches; device:e1000 searches one kind"],
  ["M", "mark the instant under the pointer, with a note"],
  ["C", "show only the critical chain"],
  ["T", "the spans in view as a table"],
  ["Esc", "clear selection, range and search"],
  ["?", "this help"],
];

/** The actions of a key; empty if the viewer does not use it. `width` is that of the plots, in pixels. */
export function actionsForKey(press: KeyPress, state: State, width: number): readonly Action[] {
  if (press.key === "?") return [{ what: "help", shown: !state.help }];
  if (press.key === "Escape") return [{ what: "clear" }];
  const timeline = timelineOf(state);
  if (timeline === null) return [];
  const axis = state.pointer?.axis ?? placeAxis(state) ?? 0;
  const view = state.views[axis];
  if (view === undefined) return [];
  const pointerX = state.pointer?.axis === axis ? state.pointer.x - METRICS.gutter : null;
  const centre = pointerX !== null && pointerX >= 0 ? nsAt(view, width, pointerX) : (view.beginNs + view.endNs) / 2;
  const span = view.endNs - view.beginNs;
  switch (press.code) {
    case "KeyW":
      return [{ what: "zoom", axis, centreNs: centre, factor: 1 / ZOOM_STEP }];
    case "KeyS":
      return [{ what: "zoom", axis, centreNs: centre, factor: ZOOM_STEP }];
    case "KeyA":
      return [{ what: "pan", axis, byNs: -span * PAN_STEP }];
    case "KeyD":
      return [{ what: "pan", axis, byNs: span * PAN_STEP }];
    case "Digit0":
    case "Numpad0":
      return [{ what: "reset" }];
    case "KeyF": {
      const place = state.selection === null ? state.range : placeOf(timeline, state.selection);
      return place === null ? [] : [{ what: "fit", ...place }];
    }
    case "KeyM":
      return [{ what: "mark", mark: { axis, atNs: Math.round(centre), note: "" } }];
    case "KeyC":
      return notBuilt(timeline.update) === null ? [{ what: "chain" }] : [{ what: "analyse" }, { what: "chain" }];
    case "KeyT":
      return [{ what: "panel", panel: state.panel === "spans" ? "about" : "spans" }];
    case "ArrowRight":
    case "ArrowLeft":
    case "ArrowUp":
    case "ArrowDown":
      return stepActions(state, press.code);
    default:
      break;
  }
  // By character: these keys are elsewhere on other keyboards.
  switch (press.key) {
    case ".":
      return stepActions(state, "ArrowRight");
    case ",":
      return stepActions(state, "ArrowLeft");
    case "[":
      return flowActions(state, -1);
    case "]":
      return flowActions(state, 1);
    default:
      return [];
  }
}

function flowActions(state: State, by: 1 | -1): readonly Action[] {
  const timeline = timelineOf(state);
  if (timeline === null || state.selection?.what !== "span") return [];
  const row = inFlow(timeline.update, state.selection.row, by);
  return row === null ? [] : shown(state, timeline, { what: "span", row });
}

/** The next or previous match of the search, counted from the selection. */
export function searchActions(state: State, backwards: boolean): readonly Action[] {
  const timeline = timelineOf(state);
  if (timeline === null) return [];
  const found = foundIn(timeline, state.query);
  if (found === null) return [];
  const { update } = timeline;
  const { selection } = state;
  const from =
    selection?.what === "span"
      ? { atNs: update.spans.beginNs[selection.row] as number, row: selection.row }
      : selection?.what === "printk"
        ? { atNs: update.printk[selection.item]?.atNs as number, row: update.spans.count + selection.item }
        : null;
  const next = nextFound(update, found, from, backwards);
  return next === null ? [] : shown(state, timeline, next);
}

/** Selects a thing and brings it into view; if it is too small to be seen, it is fitted. */
export function shown(state: State, timeline: Timeline, selection: Selection): readonly Action[] {
  const actions: Action[] = [{ what: "select", selection }];
  const place = placeOf(timeline, selection);
  const view = place === null ? undefined : state.views[place.axis];
  if (place === null || view === undefined) return actions;
  const group = groupOf(timeline, selection);
  if (group !== null && state.folded.has(group)) actions.push({ what: "fold", id: group });
  if (place.beginNs > view.endNs || place.endNs < view.beginNs) {
    const middle = (place.beginNs + place.endNs) / 2;
    actions.push({ what: "pan", axis: place.axis, byNs: middle - (view.beginNs + view.endNs) / 2 });
  }
  return actions;
}

/** The group in which a thing is drawn; null if the head draws it. */
function groupOf(timeline: Timeline, selection: Selection): GroupId | null {
  switch (selection.what) {
    case "span":
      return groupOfKind(timeline.update.spans.kind[selection.row] as number);
    case "node":
      return "accounts";
    case "phase":
      return null;
    case "defect":
      return "defects";
    case "printk":
    case "silence":
      return selection.what;
  }
}

function placeAxis(state: State): number | null {
  const timeline = timelineOf(state);
  if (timeline === null || state.selection === null) return null;
  return placeOf(timeline, state.selection)?.axis ?? null;
}

const STEPS: Readonly<Record<string, Step>> = {
  ArrowRight: "next",
  ArrowLeft: "previous",
  ArrowUp: "parent",
  ArrowDown: "child",
};

function stepActions(state: State, code: string): readonly Action[] {
  const timeline = timelineOf(state);
  const step = STEPS[code];
  if (timeline === null || step === undefined) return [];
  if (state.selection === null) {
    const first = timeline.axes[0]?.phases[0];
    return first === undefined ? [] : [{ what: "select", selection: { what: "phase", index: first.index } }];
  }
  if (state.selection.what === "phase") {
    const by = step === "next" ? 1 : step === "previous" ? -1 : 0;
    const index = state.selection.index + by;
    return by === 0 || timeline.update.document.phases[index] === undefined
      ? []
      : [{ what: "select", selection: { what: "phase", index } }];
  }
  if (state.selection.what !== "span") return [];
  const row = neighbour(timeline, state.selection.row, step);
  if (row === null) return [];
  return shown(state, timeline, { what: "span", row });
}
