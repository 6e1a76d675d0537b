/** Reads the report in the page and ties state, views and events together. */
import { renderDefects } from "./chrome/defects.js";
import { renderDetails } from "./chrome/details.js";
import { fill, h } from "./chrome/dom.js";
import { renderBar, renderSummary } from "./chrome/header.js";
import { renderHelp } from "./chrome/help.js";
import { renderPhaseTable } from "./chrome/phase-table.js";
import { renderPlots } from "./chrome/plots.js";
import { createTimelineView, type TimelineView } from "./chrome/timeline-view.js";
import { renderUpdateTable } from "./chrome/update-table.js";
import { readIndex, readUpdate } from "./data/read-report.js";
import { actionsForKey } from "./interaction/keys.js";
import { initialState, type State, type Theme, timelineOf } from "./interaction/state.js";
import { createStore, type Store, whenChanged } from "./interaction/store.js";
import { plural } from "./model/format.js";
import { buildTimeline, GROUPS, type Timeline } from "./model/timeline.js";

async function start(app: Element): Promise<void> {
  const index = await readIndex(document);
  if (!index.ok) {
    fill(app, h("p", { class: "state error", role: "alert" }, `This report cannot be read: ${index.error}.`));
    return;
  }
  const theme: Theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  const store = createStore(initialState(index.value, theme), (flush) => requestAnimationFrame(flush));
  mount(app, store);
  if (index.value.entries.length > 0) store.dispatch({ what: "opening", index: 0 });
}

function mount(app: Element, store: Store): void {
  const { dispatch } = store;
  const several = store.state().index.entries.length > 1;
  const part = (id: string, tag: "header" | "section" | "aside" = "section", label?: string) =>
    h(tag, label === undefined ? { id } : { id, "aria-label": label });
  const bar = part("bar", "header");
  const plots = part("plots", "section", "Several updates");
  const updates = part("updates", "section", "Updates");
  const summary = part("summary", "section", "Summary");
  const phases = part("phases", "section", "Phases");
  const defects = part("defects", "section", "Defects");
  const groups = h("div", { id: "groups", role: "group", "aria-label": "Groups of lanes" });
  const lanes = part("lanes", "section", "Timeline");
  const details = h("aside", { id: "details", "aria-label": "Details", "aria-live": "polite" });
  const help = h("dialog", { id: "help", "aria-label": "Keys and gestures" });
  const all = several
    ? [h("h2", { class: "section-title" }, plural(store.state().index.entries.length, "live update")), plots, updates]
    : [];
  fill(
    app,
    bar,
    h(
      "main",
      {},
      ...all,
      h("div", { id: "overview" }, summary, phases),
      defects,
      h("div", { id: "workspace" }, h("div", { id: "stage" }, groups, lanes), details),
    ),
    help,
  );

  store.subscribe(
    whenChanged(
      (state) => [state.theme],
      (state) => document.documentElement.setAttribute("data-theme", state.theme),
    ),
  );
  store.subscribe(
    whenChanged(
      (state) => [state.theme, state.help],
      (state) => renderBar(bar, state, dispatch),
    ),
  );
  store.subscribe(
    whenChanged(
      (state) => [state.opened],
      (state) => renderSummary(summary, state),
    ),
  );
  store.subscribe(
    whenChanged(
      (state) => [state.opened, state.selection],
      (state) => keepingFocus(phases, () => renderPhaseTable(phases, state, dispatch)),
    ),
  );
  store.subscribe(
    whenChanged(
      (state) => [state.opened],
      (state) => renderDefects(defects, state, dispatch),
    ),
  );
  store.subscribe(
    whenChanged(
      (state) => [state.opened, state.folded],
      (state) => keepingFocus(groups, () => renderGroups(groups, state, store)),
    ),
  );
  store.subscribe(
    whenChanged(
      (state) => [state.opened, state.selection, state.range],
      (state) => renderDetails(details, state, dispatch),
    ),
  );
  store.subscribe(
    whenChanged(
      (state) => [state.help],
      (state) => renderHelp(help, state, dispatch),
    ),
  );
  help.addEventListener("close", () => dispatch({ what: "help", shown: false }));
  if (several) {
    let destroy = () => {};
    store.subscribe(
      whenChanged(
        (state) => [state.opened.index, state.theme, state.hiddenCurves, state.logScale],
        (state) =>
          keepingFocus(plots, () => {
            destroy();
            destroy = renderPlots(plots, state, dispatch);
          }),
      ),
    );
    store.subscribe(
      whenChanged(
        (state) => [state.opened.index],
        (state) => keepingFocus(updates, () => renderUpdateTable(updates, state, dispatch)),
      ),
    );
  }

  let views: readonly TimelineView[] = [];
  let shown: Timeline | null = null;
  store.subscribe((state) => {
    const timeline = timelineOf(state);
    if (timeline !== shown) {
      for (const view of views) view.destroy();
      shown = timeline;
      lanes.dataset.opened = timeline === null ? "" : `${state.opened.index}`;
      const tallest = Math.round((window.innerHeight * 0.78) / Math.max(1, timeline?.axes.length ?? 1));
      views =
        timeline === null ? [] : timeline.axes.map((_, axis) => createTimelineView(store, timeline, axis, tallest));
      fill(lanes, ...views.map((view) => view.element));
    }
    for (const view of views) view.render(state);
  });

  store.subscribe(
    whenChanged(
      (state) => [state.opened.what, state.opened.index],
      (state) => openUpdate(state, store),
    ),
  );

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const arrows = event.code.startsWith("Arrow");
    // Arrows belong to the timeline only when it has the focus: elsewhere they scroll.
    if (arrows && !lanes.contains(document.activeElement)) return;
    if (store.state().help && event.key !== "?" && event.key !== "Escape") return;
    const width = views[0]?.plotWidth() ?? 1;
    const actions = actionsForKey({ code: event.code, key: event.key, shift: event.shiftKey }, store.state(), width);
    if (actions.length === 0) return;
    event.preventDefault();
    for (const action of actions) dispatch(action);
  });
}

function openUpdate(state: State, store: Store): void {
  if (state.opened.what !== "loading" || state.index.entries.length === 0) return;
  const { index } = state.opened;
  void readUpdate(document, index).then((update) => {
    store.dispatch(
      update.ok
        ? { what: "opened", index, timeline: buildTimeline(update.value) }
        : { what: "open-failed", index, reason: update.error },
    );
  });
}

/** Renders, and gives the focus back to the control in the same place: a keyboard must not lose its way. */
function keepingFocus(root: HTMLElement, render: () => void): void {
  const controls = () => [...root.querySelectorAll<HTMLElement>("button, summary, [tabindex]")];
  const at = controls().indexOf(document.activeElement as HTMLElement);
  const scroll = root.scrollTop;
  render();
  if (at >= 0) controls()[at]?.focus({ preventScroll: true });
  root.scrollTop = scroll;
}

function renderGroups(root: Element, state: State, store: Store): void {
  const timeline = timelineOf(state);
  const there = new Map<string, number>();
  for (const axis of timeline?.axes ?? []) {
    for (const group of axis.groups) there.set(group.id, (there.get(group.id) ?? 0) + group.count);
  }
  fill(
    root,
    ...GROUPS.filter(({ id }) => there.has(id)).map(({ id, label }) =>
      h(
        "button",
        {
          class: "chip",
          "aria-pressed": `${!state.folded.has(id)}`,
          onclick: () => store.dispatch({ what: "fold", id }),
        },
        label,
        h("span", { class: "chip-count" }, (there.get(id) ?? 0).toLocaleString("en")),
      ),
    ),
  );
}

const app = document.getElementById("app");
if (app !== null) void start(app);
