/**
 * The state in the address: everything another person needs to see the same, as `#page=…&update=…`. It is read as
 * untrusted input: what does not parse is ignored, never an error.
 */
import type { Selection, State, Theme } from "./state.js";
import { type AxisRange, type LinkedPlace, type NotedInstant, openedIndex, PAGES, PANELS } from "./state.js";

const SELECTIONS = ["span", "node", "phase", "printk", "defect", "silence"] as const;
/** More marks and longer notes would make an address that programs truncate. */
const MOST_MARKS = 40;
const MOST_NOTE = 200;

/** Without `#`; empty if everything has its default. */
export function linkOf(state: State): string {
  const out = new URLSearchParams();
  const index = openedIndex(state.opened);
  const several = state.entries.length > 1;
  if (several) out.set("page", state.page);
  if (several && index >= 0 && state.page !== "updates") out.set("update", `${index}`);
  if (state.page === "compare" && state.other.what !== "none") out.set("with", `${state.other.index}`);
  if (state.opened.what === "ready") {
    const { axes } = state.opened.timeline;
    const moved = state.views.some(
      (view, i) => view.beginNs !== axes[i]?.homeNs[0] || view.endNs !== axes[i]?.homeNs[1],
    );
    // Fractions of a nanosecond keep the position at a deep zoom.
    if (moved) out.set("view", state.views.map((view) => `${short(view.beginNs)},${short(view.endNs)}`).join(";"));
  }
  const { selection, range } = state;
  if (selection !== null) {
    out.set("select", `${selection.what},${selectedId(selection)}`);
  }
  if (range !== null) out.set("range", `${range.axis},${range.beginNs},${range.endNs}`);
  if (state.marks.length > 0) {
    const marks = state.marks.slice(0, MOST_MARKS);
    out.set(
      "marks",
      marks.map((mark) => `${mark.axis},${mark.atNs},${encodeURIComponent(mark.note.slice(0, MOST_NOTE))}`).join(";"),
    );
  }
  if (state.folded.size > 0) out.set("fold", [...state.folded].join(","));
  if (state.query !== "") out.set("find", state.query);
  if (state.filter !== "") out.set("filter", state.filter);
  if (state.budgetNs !== null) out.set("budget", `${state.budgetNs}`);
  if (state.sort !== null) out.set("sort", `${state.sort.descending ? "-" : ""}${state.sort.by}`);
  if (state.hiddenCurves.size > 0) out.set("hide", [...state.hiddenCurves].join(","));
  if (state.logScale) out.set("scale", "log");
  if (state.showChain) out.set("chain", "1");
  if (state.panel !== "about" && state.panel !== "details") out.set("panel", state.panel);
  if (state.themeChosen) out.set("theme", state.theme);
  return out.toString();
}

function selectedId(selection: Selection): number {
  switch (selection.what) {
    case "span":
      return selection.row;
    case "node":
      return selection.node;
    case "phase":
      return selection.index;
    default:
      return selection.item;
  }
}

function short(ns: number): string {
  return `${Number(ns.toFixed(3))}`;
}

/** What a link sets, to be applied to the state, and the update that it opens. */
export interface Linked {
  readonly saved: Partial<State>;
  readonly update: number | null;
  readonly compareWith: number | null;
}

export function readLink(hash: string, entries: number): Linked {
  const given = new URLSearchParams(hash.replace(/^#/, ""));
  const has = (index: number | undefined): index is number => index !== undefined && index >= 0 && index < entries;
  const saved: { -readonly [K in keyof State]?: State[K] } = {};
  const page = PAGES.find((candidate) => candidate === given.get("page"));
  if (page !== undefined && entries > 1) saved.page = page;
  const panel = PANELS.find((candidate) => candidate === given.get("panel"));
  if (panel !== undefined) saved.panel = panel;
  const theme = given.get("theme");
  if (theme === "dark" || theme === "light") {
    saved.theme = theme satisfies Theme;
    saved.themeChosen = true;
  }
  saved.query = given.get("find") ?? "";
  saved.filter = given.get("filter") ?? "";
  const [budget] = numbers(given.get("budget"));
  saved.budgetNs = budget !== undefined && budget > 0 ? budget : null;
  saved.folded = new Set(list(given.get("fold")));
  saved.hiddenCurves = new Set(list(given.get("hide")));
  saved.logScale = given.get("scale") === "log";
  saved.showChain = given.get("chain") === "1";
  const sort = given.get("sort");
  saved.sort = sort === null || sort === "" ? null : { by: sort.replace(/^-/, ""), descending: sort.startsWith("-") };
  saved.pending = placeIn(given);
  const [update] = numbers(given.get("update"));
  const [compareWith] = numbers(given.get("with"));
  return {
    saved,
    update: has(update) ? update : null,
    compareWith: has(compareWith) ? compareWith : null,
  };
}

function list(text: string | null): string[] {
  return (text ?? "").split(",").filter((part) => part !== "");
}

/** All or nothing: a list with one bad number is ignored. */
function numbers(text: string | null): number[] {
  if (text === null || text === "") return [];
  const values = text.split(",").map(Number);
  return values.every((value) => Number.isFinite(value)) ? values : [];
}

function placeIn(given: URLSearchParams): LinkedPlace {
  const views = (given.get("view") ?? "").split(";").flatMap((part) => {
    const [beginNs, endNs] = numbers(part);
    return beginNs !== undefined && endNs !== undefined && endNs > beginNs ? [{ beginNs, endNs }] : [];
  });
  const marks = (given.get("marks") ?? "").split(";").flatMap((part): NotedInstant[] => {
    const [axis, atNs, ...note] = part.split(",");
    if (axis === undefined || axis === "" || atNs === undefined || atNs === "" || !Number.isFinite(Number(atNs)))
      return [];
    return [{ axis: axis === "1" ? 1 : 0, atNs: Number(atNs), note: decoded(note.join(",")) }];
  });
  return { views, selection: selectionIn(given), range: rangeIn(given), marks: marks.slice(0, MOST_MARKS) };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text).slice(0, MOST_NOTE);
  } catch {
    return "";
  }
}

function selectionIn(given: URLSearchParams): Selection | null {
  const [what, id] = (given.get("select") ?? "").split(",");
  const number = Number(id);
  const known = SELECTIONS.find((candidate) => candidate === what);
  if (known === undefined || !Number.isSafeInteger(number) || number < 0) return null;
  switch (known) {
    case "span":
      return { what: "span", row: number };
    case "node":
      return { what: "node", node: number };
    case "phase":
      return { what: "phase", index: number };
    default:
      return { what: known, item: number };
  }
}

function rangeIn(given: URLSearchParams): AxisRange | null {
  const [axis, beginNs, endNs] = numbers(given.get("range"));
  if (axis === undefined || beginNs === undefined || endNs === undefined || endNs <= beginNs) return null;
  return { axis: axis === 1 ? 1 : 0, beginNs, endNs };
}
