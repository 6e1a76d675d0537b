/**
 * Hands a trace to the Perfetto UI in a window of its own: the UI answers PONG to PING once it listens, and then takes
 * the trace by postMessage (its documented way; nothing is uploaded). Each way to fail has a message.
 */

export type Handover = { readonly what: "handed-over" } | { readonly what: "failed"; readonly reason: string };

export interface HandoverOptions {
  /** The UI's address, with the commands it starts with. */
  readonly url: string;
  readonly buffer: ArrayBuffer;
  readonly title: string;
  readonly fileName: string;
  /** How long the UI may take to answer. */
  readonly patienceMs?: number;
}

const PING_MS = 50;
const PATIENCE_MS = 30_000;

/** Must be called from a click: browsers open no window otherwise. */
export function handOver({
  url,
  buffer,
  title,
  fileName,
  patienceMs = PATIENCE_MS,
}: HandoverOptions): Promise<Handover> {
  const { origin } = new URL(url);
  const ui = window.open(url);
  if (ui === null) {
    const reason = `The browser did not open a window for ${origin}: allow pop-ups for this page, and press the button again.`;
    return Promise.resolve({ what: "failed", reason });
  }
  return new Promise((resolve) => {
    const started = performance.now();
    const settle = (result: Handover) => {
      clearInterval(timer);
      removeEventListener("message", listen);
      resolve(result);
    };
    const listen = (event: MessageEvent) => {
      // Only from the window that was opened, and only while it still shows the UI.
      if (event.source !== ui || event.origin !== origin || event.data !== "PONG") return;
      ui.postMessage({ perfetto: { buffer, title, fileName, keepApiOpen: true } }, origin);
      settle({ what: "handed-over" });
    };
    addEventListener("message", listen);
    const timer = setInterval(() => {
      if (ui.closed) {
        settle({
          what: "failed",
          reason:
            "The window of the Perfetto UI was closed before it took the trace. Press the button again, or download the trace.",
        });
      } else if (performance.now() - started > patienceMs) {
        settle({
          what: "failed",
          reason: `${origin} did not answer within ${Math.round(patienceMs / 1000)} s. Is it reachable from this browser, and is it a Perfetto UI? Download the trace, and open it there with Ctrl+O.`,
        });
      } else ui.postMessage("PING", origin);
    }, PING_MS);
  });
}
