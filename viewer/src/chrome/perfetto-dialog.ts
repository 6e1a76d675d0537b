/**
 * The way into the Perfetto UI. If the page is served, a button hands the trace over. From a file, the trace is a
 * download, made from the contents of the report; the dialog explains the difference.
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
  if (timeline === null) fill(dialog, title, h("p", { class: "status" }, "Open an update first."), close);
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
  const status = h("p", { class: "status", role: "status", id: "perfetto-status" }, "Making the trace…");
  const button = h("button", { class: "open-button", id: "perfetto-hand-over", disabled: true }, "Hand over");
  fill(dialog, title, status, h("p", { class: "dialog-actions" }, button, close));
  void traceFor(served, index).then((made) => {
    if (typeof made === "string") {
      status.textContent = made;
      return;
    }
    const { host } = new URL(made.trace.url);
    status.textContent = `${(made.buffer.byteLength / 1e6).toFixed(1)} MB, for ${host}; it stays in this browser.`;
    button.disabled = false;
    button.addEventListener("click", () => {
      status.textContent = `Waiting for ${host}…`;
      void handOverTrace(made).then((result) => {
        status.textContent = result.what === "failed" ? result.reason : "The trace was passed on.";
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
  const status = h("p", { class: "status", role: "status", id: "perfetto-status" });
  const button = h("button", { class: "open-button", id: "perfetto-download" }, `Download ${fileName}`);
  button.addEventListener("click", () => {
    button.disabled = true;
    status.textContent = "Making the trace…";
    // Painted first: the page does not respond while the writer runs.
    requestAnimationFrame(() =>
      setTimeout(() => {
        void traceOfUpdate(update)
          .then((trace) => {
            save(trace, fileName);
            status.textContent = `${fileName} has ${(trace.size / 1e6).toFixed(1)} MB. Drop it on ui.perfetto.dev, or open it there with Ctrl+O.`;
          })
          .catch((error: unknown) => {
            status.textContent = `The trace could not be made: ${error instanceof Error ? error.message : String(error)}.`;
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
      { class: "status" },
      served === null
        ? "A page opened from a file may not pass data to another page. It can write the trace to a file instead: drop the file on the Perfetto UI, where it stays in your browser."
        : "This update was opened from a separate file: the server has no capture of it. This page can write the trace from its own data.",
    ),
    h(
      "p",
      { class: "status" },
      "The trace contains what this report shows, redacted in the same way: phases, spans, sessions, devices, the kernels’ logs",
      notBuilt(update) === null ? ", the span tree and the critical chain. " : ". ",
      "Only the capture has the events of the scheduler and of interrupts. To open it with them, zoomed to the blackout:",
    ),
    h("pre", { class: "commands" }, "blackout open CAPTURE"),
    h("p", { class: "status" }, `CAPTURE is the folder or archive of ${visibleText(update.document.capture.name)}.`),
    status,
    h("p", { class: "dialog-actions" }, button, close),
  );
}
