/** From pointer and wheel over one timeline to actions. */
import { type Hit, hitAt, METRICS, partAt, type Scene } from "../layout/scene.js";
import { nsAt, nsPerPixel } from "../layout/viewport.js";
import type { Timeline } from "../model/timeline.js";
import type { Side, State } from "./state.js";
import type { Dispatch } from "./store.js";
import { placeOf } from "./targets.js";

/** A press that moves less than this is a click, in pixels. */
const SLACK = 4;

export interface PointerTarget {
  readonly element: HTMLElement;
  readonly axis: number;
  readonly side: Side;
  readonly timeline: Timeline;
  readonly state: () => State;
  readonly dispatch: Dispatch;
  readonly scene: () => Scene | null;
  /** Width of the plot without the gutter. */
  readonly width: () => number;
  readonly scrollY: () => number;
  readonly scrollBy: (pixels: number) => void;
}

export function attachPointer(target: PointerTarget): void {
  const { element, axis, side, timeline, dispatch } = target;
  const local = (event: MouseEvent) => {
    const box = element.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  const view = () => target.state().views[axis];
  const hit = (x: number, y: number): Hit | null => {
    const [scene, now] = [target.scene(), view()];
    return scene === null || now === undefined ? null : hitAt(scene, now, target.width(), target.scrollY(), x, y);
  };
  let press: {
    readonly x: number;
    readonly y: number;
    readonly ns: number;
    mode: "still" | "range" | "pan" | "overview";
  } | null = null;
  let last = { x: 0, y: 0 };

  /** In the overview strip the whole axis is the width: centre the view there. */
  const moveOverview = (x: number) => {
    const [scene, now] = [target.scene(), view()];
    if (scene === null || now === undefined) return;
    const [begin, end] = scene.axis.boundsNs;
    const ns = nsAt({ beginNs: begin, endNs: end }, target.width(), x - METRICS.gutter);
    dispatch({ what: "pan", axis, byNs: ns - (now.beginNs + now.endNs) / 2 });
  };

  element.addEventListener("pointerdown", (event) => {
    const now = view();
    if (event.button !== 0 || now === undefined) return;
    const { x, y } = local(event);
    const part = partAt(x, y);
    last = { x, y };
    press = { x, y, ns: nsAt(now, target.width(), x - METRICS.gutter), mode: "still" };
    if (part === "overview") {
      press.mode = "overview";
      moveOverview(x);
    } else if (part !== "gutter" && event.shiftKey) press.mode = "pan";
    element.setPointerCapture(event.pointerId);
  });

  element.addEventListener("pointermove", (event) => {
    const { x, y } = local(event);
    const now = view();
    if (now === undefined) return;
    if (press === null) {
      dispatch({ what: "point", pointer: { side, axis, x, y, hit: hit(x, y) } });
      return;
    }
    if (press.mode === "still" && Math.abs(x - press.x) > SLACK && partAt(press.x, press.y) !== "gutter")
      press.mode = "range";
    if (press.mode === "overview") moveOverview(x);
    if (press.mode === "pan") {
      dispatch({ what: "pan", axis, byNs: (last.x - x) * nsPerPixel(now, target.width()) });
      target.scrollBy(last.y - y);
    }
    if (press.mode === "range") {
      const ns = nsAt(now, target.width(), Math.min(Math.max(x - METRICS.gutter, 0), target.width()));
      const [begin, end] = [Math.min(ns, press.ns), Math.max(ns, press.ns)];
      dispatch({ what: "range", range: { axis, beginNs: Math.round(begin), endNs: Math.round(end) } });
    }
    dispatch({ what: "point", pointer: { side, axis, x, y, hit: null } });
    last = { x, y };
  });

  element.addEventListener("pointerup", (event) => {
    const pressed = press;
    press = null;
    if (pressed?.mode !== "still") return;
    const { x, y } = local(event);
    const found = hit(x, y);
    if (found?.what === "group") dispatch({ what: "fold", id: found.id });
    // The selection belongs to the first update: its rows have no meaning in the second.
    else if (partAt(x, y) !== "gutter" && side === "one") dispatch({ what: "select", selection: found });
  });
  element.addEventListener("pointercancel", () => {
    press = null;
  });
  element.addEventListener("pointerleave", () => {
    if (press === null) dispatch({ what: "point", pointer: null });
  });

  element.addEventListener("dblclick", (event) => {
    const { x, y } = local(event);
    const found = hit(x, y);
    if (found?.what === "group" || partAt(x, y) === "gutter") return;
    if (found === null) {
      dispatch({ what: "reset" });
      return;
    }
    const place = placeOf(timeline, found);
    if (place !== null) dispatch({ what: "fit", ...place });
  });

  element.addEventListener(
    "wheel",
    (event) => {
      const now = view();
      if (now === undefined) return;
      const { x, y } = local(event);
      const unit = event.deltaMode === 1 ? 16 : event.deltaMode === 2 ? 400 : 1;
      const [dx, dy] = [event.deltaX * unit, event.deltaY * unit];
      if (!event.ctrlKey && (event.shiftKey || Math.abs(dx) > Math.abs(dy))) {
        event.preventDefault();
        const by = Math.abs(dx) > Math.abs(dy) ? dx : dy;
        dispatch({ what: "pan", axis, byNs: by * nsPerPixel(now, target.width()) });
        return;
      }
      // Over the lanes a plain wheel scrolls them, and the page at their end: the browser does this.
      if (!event.ctrlKey && (partAt(x, y) === "lanes" || partAt(x, y) === "gutter")) return;
      event.preventDefault();
      // A pinch arrives as ctrl and wheel in finer steps.
      const factor = Math.exp(Math.min(Math.max(dy, -240), 240) * (event.ctrlKey ? 0.008 : 0.002));
      dispatch({ what: "zoom", axis, centreNs: nsAt(now, target.width(), x - METRICS.gutter), factor });
    },
    { passive: false },
  );
}
