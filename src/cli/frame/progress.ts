/** One line that says what is being done, on a terminal's stderr, gone when it is done. */
import { escapeControls } from "../../base/text/controls.js";
import { truncate } from "../terminal/terminal-text.js";

export interface Progress {
  /** How much is done, in the units of the total (any units without one), and a word on what is being done. */
  update(done: number, note?: string): void;
  /** Removes the line. Calling it again does nothing. */
  end(): void;
}

/** For everywhere but a terminal. */
export const silentProgress: Progress = { update: () => {}, end: () => {} };

/** Ten times a second is as often as an eye can use; drawing more often would slow the work it reports. */
const redrawMs = 100;

export interface ProgressLine {
  start(label: string, total: number | null): Progress;
  /** Removes the line for the moment, because something else is about to be written; the next update draws it again. */
  hide(): void;
}

/** The line of one terminal. `write` goes to it; `nowMs` is any steady clock in milliseconds. */
export function progressLine(write: (text: string) => void, nowMs: () => number, width: number): ProgressLine {
  let shown = false;
  const hide = (): void => {
    if (shown) write("\r\x1b[K");
    shown = false;
  };
  const start = (label: string, total: number | null): Progress => {
    let ended = false;
    let lastDrawnMs = nowMs();
    const draw = (text: string): void => {
      // One column less than there are: in the last one, terminals disagree about where the cursor is.
      write(`\r\x1b[K${truncate(text, width - 1)}`);
      shown = true;
    };
    draw(progressText(label, 0, total, ""));
    return {
      update: (done, note = "") => {
        const now = nowMs();
        if (ended || now - lastDrawnMs < redrawMs) return;
        lastDrawnMs = now;
        draw(progressText(label, done, total, note));
      },
      end: () => {
        if (ended) return;
        ended = true;
        hide();
      },
    };
  };
  return { start, hide };
}

/** `reading traces 43 % old/ring`; without a total the count itself. */
export function progressText(label: string, done: number, total: number | null, note: string): string {
  const count = Number.isFinite(done) ? Math.max(0, done) : 0;
  let amount = count > 0 ? ` ${Math.round(count).toLocaleString("en")}` : "";
  if (total !== null && total > 0) amount = ` ${Math.min(100, Math.floor((100 * count) / total))} %`;
  return escapeControls(`${label}${amount}${note === "" ? "" : ` ${note}`}`);
}
