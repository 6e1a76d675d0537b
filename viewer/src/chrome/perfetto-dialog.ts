/**
 * The way into the Perfetto UI: where the page is served, a button that hands the trace over; from a file, the trace as a
 * download, made here of what the report holds, and why that is not the same.
 */
import { traceOfUpdate } from "../data/perfetto-file.js";
import { handOverTrace, type Served, traceFor } from "../data/served.js";
import { openedIndex, type State, timelineOf } from "../interaction/state.js";
import { notBuilt } from "../model/analysis.js";
import { fileStem, visibleText } from "../model/format.js";
import type { Timeline } from "../model/timeline.js";
import { fill, h, save } from "./dom.js";

export function showPerfetto(dialog: HTMLDialogElement, state: State, served: Served | null): void {
  const close = h("button", { class: "quiet-button", onclick: () => dialog.close() }, "Close ", h("kbd", {}, "Esc"));
  const timeline = timelineOf(state);
  const title = h("h2", {}, "Open in the Perfetto UI");
  if (timeline === null) fill(dialog, title, h("p", { class: "said" }, "Open an update first."), close);
  else if (served?.traces[openedIndex(state.opened)] === undefined)
    offerDownload(dialog, title, close, timeline, served);
  else offerHandOver(dialog, title, close, openedIndex(state.opened), served);
  if (!dialog.open) dialog.showModal();
}

function offerHandOver(
  dialog: HTMLDialogElement,
  title: HTMLElement,
  close: HTMLElement,
  index: number,
  served: Served,
): void {
  const said = h("p", { class: "said", role: "status", id: "perfetto-said" }, "Making the trace…");
  const button = h("button", { class: "open-button", id: "perfetto-hand-over", disabled: true }, "Hand over");
  fill(dialog, title, said, h("p", { class: "dialog-actions" }, button, close));
  void traceFor(served, index).then((made) => {
    if (typeof made === "string") {
      said.textContent = made;
      return;
    }
    const { host } = new URL(made.trace.url);
    said.textContent = `${(made.buffer.byteLength / 1e6).toFixed(1)} MB, for ${host}; it stays in this browser.`;
    button.disabled = false;
    button.addEventListener("click", () => {
      said.textContent = `Waiting for ${host}…`;
      void handOverTrace(made).then((result) => {
        said.textContent = result.what === "failed" ? result.reason : "Handed over.";
      });
    });
  });
}

function offerDownload(
  dialog: HTMLDialogElement,
  title: HTMLElement,
  close: HTMLElement,
  { update }: Timeline,
  served: Served | null,
): void {
  const fileName = `${fileStem(update.document.capture.name)}.pftrace`;
  const said = h("p", { class: "said", role: "status", id: "perfetto-said" });
  const button = h("button", { class: "open-button", id: "perfetto-download" }, `Download ${fileName}`);
  button.addEventListener("click", () => {
    button.disabled = true;
    said.textContent = "Making the trace…";
    // Painted first: the writer holds the page while it writes.
    requestAnimationFrame(() =>
      setTimeout(() => {
        void traceOfUpdate(update)
          .then((trace) => {
            save(trace, fileName);
            said.textContent = `${fileName} has ${(trace.size / 1e6).toFixed(1)} MB. Drop it on ui.perfetto.dev, or open it there with Ctrl+O.`;
          })
          .catch((error: unknown) => {
            said.textContent = `The trace could not be made: ${error instanceof Error ? error.message : String(error)}.`;
          })
          .finally(() => {
            button.disabled = false;
          });
      }, 0),
    );
  });
  fill(
    dialog,
    title,
    h(
      "p",
      { class: "said" },
      served === null
        ? "A page opened from a file may not hand data to another page. It can write the trace instead: drop that on the Perfetto UI, where it stays in your browser."
        : "This update was opened from a file of its own: the server has no capture of it. The trace can be written from what this page holds.",
    ),
    h(
      "p",
      { class: "said" },
      "In it is what this report shows, redacted as the report is: phases, spans, sessions, devices, the kernels’ logs",
      notBuilt(update) === null ? ", the span tree and the critical chain. " : ". ",
      "The scheduler’s and interrupts’ own events are in the capture alone. With them, set up to look at the blackout:",
    ),
    h("pre", { class: "commands" }, "blackout open CAPTURE"),
    h("p", { class: "said" }, `CAPTURE is the folder or archive of ${visibleText(update.document.capture.name)}.`),
    said,
    h("p", { class: "dialog-actions" }, button, close),
  );
}
