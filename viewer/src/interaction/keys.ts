/** Keys to actions. Letters by their place on the keyboard (`event.code`), so that WASD is one cluster everywhere. */

import { METRICS } from "../layout/scene.js";
import { nsAt } from "../layout/viewport.js";
import type { Action, State } from "./state.js";
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
  ["wheel", "zoom; with Shift, or sideways: pan; over the labels: scroll"],
  ["drag", "select a range and read its duration"],
  ["Shift drag", "pan"],
  ["click", "select; double-click: fit"],
  ["←  →", "previous and next span in the lane"],
  ["↑  ↓", "enclosing span, enclosed span"],
  ["F", "fit the selection, or the range"],
  ["0", "back to the whole update"],
  ["Esc", "clear"],
  ["?", "this help"],
];

/** The actions a key stands for, none where it is not one of ours. `width` is that of the plots, in pixels. */
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
    case "ArrowRight":
    case "ArrowLeft":
    case "ArrowUp":
    case "ArrowDown":
      return stepActions(state, press.code);
    default:
      return [];
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
  const selection = { what: "span", row } as const;
  const place = placeOf(timeline, selection);
  const view = place === null ? undefined : state.views[place.axis];
  const actions: Action[] = [{ what: "select", selection }];
  if (place !== null && view !== undefined && (place.beginNs > view.endNs || place.endNs < view.beginNs)) {
    const middle = (place.beginNs + place.endNs) / 2;
    actions.push({ what: "pan", axis: place.axis, byNs: middle - (view.beginNs + view.endNs) / 2 });
  }
  return actions;
}
