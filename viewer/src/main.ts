/** Reads the report in the page and connects state, views and events. */

import { renderBar } from "./chrome/bar.js";
import { fill, h } from "./chrome/dom.js";
import { renderSummary } from "./chrome/header.js";
import { renderHelp } from "./chrome/help.js";
import { renderNotices } from "./chrome/notices.js";
import { showPerfetto } from "./chrome/perfetto-dialog.js";
import { createSearchBox } from "./chrome/search-box.js";
import { sharingOf } from "./chrome/share.js";
import { renderAbout } from "./chrome/side/about.js";
import { renderDetails } from "./chrome/side/details.js";
import { renderFindings } from "./chrome/side/findings.js";
import { renderPhaseTable } from "./chrome/side/phase-table.js";
import { renderTabs } from "./chrome/side/side.js";
import { renderSpansTable } from "./chrome/side/spans-table.js";
import { renderTree } from "./chrome/side/tree.js";
import { renderWhatIf } from "./chrome/side/what-if.js";
import { createTimelineView, type TimelineView } from "./chrome/timeline-view.js";
import { createComparePage } from "./chrome/updates/compare.js";
import { createUpdatesPage } from "./chrome/updates/updates-page.js";
import { sourcesInFile } from "./data/dropped.js";
import { libraryOf, type Source } from "./data/library.js";
import { servedBy } from "./data/served.js";
import { actionsForKey } from "./interaction/keys.js";
import { linkOf, readLink } from "./interaction/link.js";
import { initialState, openedIndex, type State, type Theme, timelineOf } from "./interaction/state.js";
import { createStore, type Store, whenChanged } from "./interaction/store.js";
import { plural, visibleText } from "./model/format.js";
import { buildTimeline, GROUPS, type Timeline } from "./model/timeline.js";

async function start(app: Element): Promise<void> {
  const library = await libraryOf(document);
  if (!library.ok) {
    const status = h("p", { class: "state error", role: "alert" }, `This report cannot be read: ${library.error}.`);
    fill(app, h("main", {}, h("h1", { class: "hidden" }, "blackout"), status));
    return;
  }
  const { title, sources } = library.value;
  const theme: Theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  const entries = sources.map((source) => source.entry);
  const store = createStore(initialState(title, entries, theme), (flush) => requestAnimationFrame(flush));
  const shelf: Source[] = [...sources];
  const linked = readLink(location.hash, entries.length);
  store.dispatch({ what: "restore", saved: linked.saved });
  mount(app, store, shelf);
  const wanted = linked.update ?? (entries.length === 1 ? 0 : null);
  const page = store.state().page;
  if (wanted !== null) {
    store.dispatch({ what: "opening", index: wanted });
    store.dispatch({ what: "page", page });
  } else if (page === "timeline" && entries.length > 0) {
    store.dispatch({ what: "opening", index: 0 });
  } else {
    // No update is open to which the link's positions could apply.
    store.dispatch({ what: "restore", saved: { pending: null } });
  }
  if (linked.compareWith !== null && page === "compare")
    store.dispatch({ what: "comparing", index: linked.compareWith });
}

function mount(app: Element, store: Store, shelf: Source[]): void {
  const { dispatch } = store;
  const bar = h("header", { id: "bar" });
  const summary = h("section", { id: "summary", "aria-label": "Summary" });
  const phases = h("section", { id: "phases", "aria-label": "Phases" });
  const groups = h("div", { id: "groups", role: "group", "aria-label": "Groups of lanes" });
  const lanes = h("section", { id: "lanes", "aria-label": "Timeline" });
  const tabs = h("div", { id: "tabs", role: "tablist", "aria-label": "Beside the timeline" });
  const panel = h("div", { id: "panel", role: "tabpanel", tabindex: 0 });
  const workspace = h(
    "div",
    { id: "workspace" },
    h("div", { id: "stage" }, groups, lanes),
    h("aside", { id: "side", "aria-label": "Details" }, h("h2", { class: "hidden" }, "Details"), tabs, panel),
  );
  const empty = h(
    "div",
    { class: "empty", hidden: true },
    h("h1", {}, "No live update is open."),
    h("p", {}, "Drop reports, traces of “blackout perfetto”, or output of “blackout analyze --json” onto this page."),
  );
  const timelinePage = h(
    "main",
    { id: "page-timeline", class: "page" },
    h("div", { id: "overview" }, summary, phases),
    workspace,
    empty,
  );
  const updates = createUpdatesPage(store);
  const compare = createComparePage(store);
  const notices = h("div", { id: "notices", "aria-live": "polite" });
  const help = h("dialog", { id: "help", "aria-label": "Keys and gestures" });
  const perfetto = h("dialog", { id: "perfetto", "aria-label": "Open in the Perfetto UI" });
  const served = servedBy(document);
  const picker = h("input", { type: "file", multiple: true, class: "hidden", "aria-hidden": "true", tabindex: -1 });
  fill(app, bar, timelinePage, updates.element, compare.element, notices, help, perfetto, picker);

  let views: readonly TimelineView[] = [];
  let shown: Timeline | null = null;
  const focusTimeline = () => document.querySelector<HTMLElement>(".page:not([hidden]) .timeline")?.focus();
  const search = createSearchBox(store, focusTimeline);
  const sharing = sharingOf(
    store,
    () => views.flatMap((view) => view.frame(store.state(), true) ?? []),
    () => [...document.querySelectorAll<HTMLCanvasElement>(".page:not([hidden]) .timeline-canvas")],
  );

  const on = (read: (state: State) => readonly unknown[], render: (state: State) => void) =>
    store.subscribe(whenChanged(read, render));
  on(
    (state) => [state.theme],
    (state) => document.documentElement.setAttribute("data-theme", state.theme),
  );
  on(
    (state) => [state.theme, state.help, state.title, state.entries, state.page, openedIndex(state.opened)],
    (state) =>
      keepingFocus(bar, () =>
        renderBar(bar, state, dispatch, search.element, sharing, {
          openFiles: () => picker.click(),
          perfetto: () => showPerfetto(perfetto, store.state(), served),
        }),
      ),
  );
  on((state) => [state.query, state.opened], search.render);
  on(
    (state) => [state.page, state.opened.what, state.entries.length],
    (state) => {
      timelinePage.hidden = state.page !== "timeline";
      updates.element.hidden = state.page !== "updates";
      compare.element.hidden = state.page !== "compare";
      const nothing = state.opened.what === "none";
      empty.hidden = !nothing;
      workspace.hidden = nothing || state.opened.what === "failed";
      document.body.classList.toggle("filled", state.page !== "updates");
    },
  );
  on(
    (state) => [state.opened],
    (state) => renderSummary(summary, state, dispatch),
  );
  on(
    (state) => [state.opened, state.selection],
    (state) => keepingFocus(phases, () => renderPhaseTable(phases, state, dispatch)),
  );
  on(
    (state) => [state.opened, state.folded],
    (state) => keepingFocus(groups, () => renderGroups(groups, state, store)),
  );
  on(
    (state) => [state.opened, state.panel],
    (state) => keepingFocus(tabs, () => renderTabs(tabs, state, dispatch)),
  );
  on(
    (state) => [
      state.opened,
      state.panel,
      state.selection,
      state.range,
      state.marks,
      state.noting,
      state.unfolded,
      state.costs,
      state.parallel,
    ],
    (state) => {
      panel.setAttribute("aria-labelledby", `tab-${state.panel}`);
      panel.className = `panel-${state.panel}`;
      switch (state.panel) {
        case "about":
          return renderAbout(detailsIn(panel), state, dispatch);
        case "details":
          return renderDetails(detailsIn(panel), state, dispatch);
        case "tree":
          return keepingFocus(panel, () => renderTree(detailsIn(panel), state, dispatch));
        case "whatif":
          return renderWhatIf(detailsIn(panel), state, dispatch);
        case "findings":
          return renderFindings(detailsIn(panel), state, dispatch);
        case "spans":
          return keepingFocus(panel, () => renderSpansTable(detailsIn(panel), state, dispatch));
      }
    },
  );
  // The table follows the view once it rests: building a table for each frame would make zooming stutter.
  let resting = 0;
  on(
    (state) => [state.views, state.folded, state.panel],
    () => {
      clearTimeout(resting);
      resting = window.setTimeout(() => {
        const state = store.state();
        if (state.panel === "spans") keepingFocus(panel, () => renderSpansTable(detailsIn(panel), state, dispatch));
      }, 160);
    },
  );
  on(
    (state) => [state.help],
    (state) => renderHelp(help, state, dispatch),
  );
  help.addEventListener("close", () => dispatch({ what: "help", shown: false }));
  on(
    (state) => [state.notices],
    (state) => renderNotices(notices, state, dispatch),
  );

  store.subscribe((state) => {
    const timeline = timelineOf(state);
    if (timeline !== shown) {
      for (const view of views) view.destroy();
      shown = timeline;
      lanes.dataset.opened = timeline === null ? "" : `${openedIndex(state.opened)}`;
      views = timeline === null ? [] : timeline.axes.map((_, axis) => createTimelineView(store, timeline, axis, "one"));
      fill(lanes, ...views.map((view) => view.element));
    }
    if (state.page !== "timeline") return;
    for (const view of views) view.render(state);
    if (timeline !== null && performance.getEntriesByName("blackout:painted").length === 0) {
      performance.mark("blackout:painted");
    }
  });
  on(
    (state) => [state.opened.what, openedIndex(state.opened), state.other.what, openedIndex(state.other)],
    (state) => {
      for (const opened of [state.opened, state.other]) if (opened.what === "loading") open(opened.index, store, shelf);
    },
  );

  followAddress(store);
  document.addEventListener("keydown", (event) => onKey(event, store, search.focus, () => views[0]?.plotWidth() ?? 1));
  const take = (files: FileList | undefined | null) => void addFiles([...(files ?? [])], store, shelf);
  picker.addEventListener("change", () => {
    take(picker.files);
    picker.value = "";
  });
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    take(event.dataTransfer?.files);
  });
}

/** The contents of the panel, with an id for their subject. */
function detailsIn(panel: HTMLElement): HTMLElement {
  const known = panel.querySelector<HTMLElement>("#details");
  if (known !== null) return known;
  const made = h("div", { id: "details" });
  panel.append(made);
  return made;
}

/** The address follows the state once it rests, and the state follows the address if the user changes it. */
function followAddress(store: Store): void {
  let timer = 0;
  let written = location.hash.replace(/^#/, "");
  store.subscribe((state) => {
    if (state.opened.what === "loading" || state.pending !== null) return;
    clearTimeout(timer);
    const { dataset } = document.documentElement;
    dataset.address = "behind";
    timer = window.setTimeout(() => {
      const link = linkOf(store.state());
      dataset.address = "current";
      if (link === written) return;
      written = link;
      history.replaceState(null, "", link === "" ? location.pathname + location.search : `#${link}`);
    }, 200);
  });
  window.addEventListener("hashchange", () => {
    const hash = location.hash.replace(/^#/, "");
    if (hash === written) return;
    written = hash;
    const state = store.state();
    const { saved, update, compareWith } = readLink(hash, state.entries.length);
    const index = update ?? (state.entries.length === 1 ? 0 : null);
    const timeline = timelineOf(state);
    if (timeline !== null && (index === null || index === openedIndex(state.opened))) {
      const { pending, ...rest } = saved;
      const views = timeline.axes.map(
        (axis, i) => pending?.views[i] ?? { beginNs: axis.homeNs[0], endNs: axis.homeNs[1] },
      );
      const { selection = null, range = null, marks = [] } = pending ?? {};
      const details = selection !== null || range !== null ? ({ panel: "details" } as const) : {};
      store.dispatch({
        what: "restore",
        saved: { ...details, ...rest, pending: null, views, selection, range, marks },
      });
    } else {
      store.dispatch({ what: "restore", saved: index === null ? { ...saved, pending: null } : saved });
      if (index !== null) store.dispatch({ what: "opening", index });
      if (saved.page !== undefined) store.dispatch({ what: "page", page: saved.page });
    }
    if (compareWith !== null && saved.page === "compare") store.dispatch({ what: "comparing", index: compareWith });
  });
}

function onKey(event: KeyboardEvent, store: Store, focusSearch: () => void, plotWidth: () => number): void {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  const target = event.target as HTMLElement;
  if (/^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName)) return;
  // An open dialog receives the keys: Escape closes it, and letters do not reach the timeline.
  if (document.querySelector("dialog[open]:not(#help)") !== null) return;
  const state = store.state();
  if (state.help && event.key !== "?" && event.key !== "Escape") return;
  if (event.key === "/" && state.page !== "updates") {
    event.preventDefault();
    focusSearch();
    return;
  }
  if (state.page === "updates" && event.key !== "?" && event.key !== "Escape") return;
  // Arrows go to the timeline only if it has the focus: elsewhere they scroll.
  if (event.code.startsWith("Arrow") && target.closest(".timeline") === null) return;
  const press = { code: event.code, key: event.key, shift: event.shiftKey };
  const actions = actionsForKey(press, state, plotWidth());
  if (actions.length === 0) return;
  event.preventDefault();
  for (const action of actions) store.dispatch(action);
}

function open(index: number, store: Store, shelf: readonly Source[]): void {
  const source = shelf[index];
  if (source === undefined) return;
  const failed = (reason: string) => store.dispatch({ what: "open-failed", index, reason });
  void source
    .read()
    .then((update) => {
      if (!update.ok) return failed(update.error);
      performance.mark("blackout:read");
      store.dispatch({ what: "opened", index, timeline: buildTimeline(update.value) });
    })
    .catch((error: unknown) => failed(error instanceof Error ? error.message : String(error)));
}

/** Adds the updates in the files; a file that cannot be used is reported by name, and the others are still added. */
async function addFiles(files: readonly File[], store: Store, shelf: Source[]): Promise<void> {
  const added: Source[] = [];
  for (const file of files) {
    const found = await sourcesInFile(file).catch((error: unknown) => ({
      ok: false as const,
      error: `it could not be read: ${error instanceof Error ? error.message : String(error)}`,
    }));
    if (found.ok) added.push(...found.value);
    else store.dispatch({ what: "notice", text: `${visibleText(file.name)}: ${found.error}.`, error: true });
  }
  if (added.length === 0) return;
  const first = shelf.length;
  shelf.push(...added);
  store.dispatch({ what: "added", entries: added.map((source) => source.entry), title: null });
  store.dispatch({ what: "notice", text: `${plural(added.length, "live update")} added.`, error: false });
  if (added.length === 1) store.dispatch({ what: "opening", index: first });
}

/** Renders, and returns the focus to the control in the same place, so that keyboard users keep their position. */
function keepingFocus(root: HTMLElement, render: () => void): void {
  // An empty element has no focus to keep; and reading its scroll position would force a layout for nothing.
  if (root.childElementCount === 0) {
    render();
    return;
  }
  const controls = () => [...root.querySelectorAll<HTMLElement>("button, summary, input, [tabindex]")];
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
