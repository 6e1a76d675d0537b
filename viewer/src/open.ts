/** The page of `blackout open`: one button that hands a trace to the Perfetto UI, and a download. */
import { fill, h } from "./chrome/dom.js";
import { handOver } from "./data/perfetto-handover.js";
import { visibleText } from "./model/format.js";

/** The server's description of the trace. */
interface Offer {
  readonly url: string;
  readonly title: string;
  readonly fileName: string;
  readonly bytes: number;
  readonly redacted: boolean;
  readonly patienceMs: number;
}

function offerIn(page: Document): Offer {
  return JSON.parse(page.getElementById("blackout-offer")?.textContent ?? "{}") as Offer;
}

async function start(app: Element): Promise<void> {
  const offer = offerIn(document);
  const status = h("p", { class: "status", id: "status", role: "status" });
  const button = h("button", { class: "open-button", id: "hand-over", disabled: true }, "Open in the Perfetto UI");
  const { host } = new URL(offer.url);
  fill(
    app,
    h(
      "main",
      { class: "open-page" },
      h("p", { class: "wordmark" }, "blackout"),
      h("h1", {}, visibleText(offer.title)),
      h(
        "p",
        { class: "status" },
        `${(offer.bytes / 1e6).toFixed(1)} MB of trace, passed to ${host} inside this browser: it is not uploaded. `,
        offer.redacted
          ? "Kernel addresses, command lines and the KASLR offset are left out."
          : "Kernel addresses, command lines and the KASLR offset are included, as requested.",
      ),
      h("p", {}, button),
      status,
      h("p", {}, h("a", { href: "trace", download: offer.fileName }, `Download ${visibleText(offer.fileName)}`)),
    ),
  );
  status.textContent = "Reading the trace…";
  let buffer: ArrayBuffer;
  try {
    const answer = await fetch("trace");
    if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
    buffer = await answer.arrayBuffer();
  } catch (error) {
    status.textContent = `The trace could not be read: ${error instanceof Error ? error.message : String(error)}. Is “blackout open” still running?`;
    return;
  }
  status.textContent = "";
  button.disabled = false;
  button.focus();
  button.addEventListener("click", () => {
    button.disabled = true;
    status.textContent = `Waiting for ${host}…`;
    void handOver({ ...offer, buffer }).then(async (result) => {
      button.disabled = false;
      if (result.what === "failed") {
        status.textContent = result.reason;
        return;
      }
      status.textContent = "The trace was passed on. This page can be closed.";
      await fetch("done", { method: "POST" }).catch(() => undefined);
    });
  });
}

const app = document.getElementById("app");
if (app !== null) void start(app);
