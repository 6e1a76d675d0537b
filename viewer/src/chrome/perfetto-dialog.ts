/** The way into the Perfetto UI: where the page is served, a button that hands the trace over; from a file, what to run. */
import { handOverTrace, type Served, traceFor } from "../data/served.js";
import { openedIndex, type State, timelineOf } from "../interaction/state.js";
import { visibleText } from "../model/format.js";
import { fill, h } from "./dom.js";

export function showPerfetto(dialog: HTMLDialogElement, state: State, served: Served | null): void {
  const close = h("button", { class: "quiet-button", onclick: () => dialog.close() }, "Close ", h("kbd", {}, "Esc"));
  const name = timelineOf(state)?.update.document.capture.name;
  const title = h("h2", {}, "Open in the Perfetto UI");
  if (name === undefined) {
    fill(dialog, title, h("p", { class: "said" }, "Open an update first."), close);
  } else if (served === null) {
    fill(
      dialog,
      title,
      h(
        "p",
        { class: "said" },
        "A page opened from a file may not hand data to another page, and this report does not hold the capture’s events. Where the capture lies, run one of these:",
      ),
      h("pre", { class: "commands" }, "blackout open CAPTURE\nblackout perfetto CAPTURE -o trace.pftrace"),
      h("p", { class: "said" }, `CAPTURE is the folder or archive of ${visibleText(name)}.`),
      close,
    );
  } else {
    const said = h("p", { class: "said", role: "status", id: "perfetto-said" }, "Making the trace…");
    const button = h("button", { class: "open-button", id: "perfetto-hand-over", disabled: true }, "Hand over");
    fill(dialog, title, said, h("p", { class: "dialog-actions" }, button, close));
    void traceFor(served, openedIndex(state.opened)).then((made) => {
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
  if (!dialog.open) dialog.showModal();
}
