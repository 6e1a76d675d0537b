/** The page of `blackout open`: one button that hands a trace to the Perfetto UI, and a download. */
import { fill, h } from "./chrome/dom.js";
import { handOver } from "./data/perfetto-handover.js";
import { visibleText } from "./model/format.js";

/** What the server tells the page of the trace. */
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
  const said = h("p", { class: "said", id: "said", role: "status" });
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
        { class: "said" },
        `${(offer.bytes / 1e6).toFixed(1)} MB of trace, handed to ${host} inside this browser: it is not uploaded. `,
        offer.redacted
          ? "Kernel addresses, command lines and KASLR’s place are left out."
          : "Kernel addresses, command lines and KASLR’s place are in it, as asked.",
      ),
      h("p", {}, button),
      said,
      h("p", {}, h("a", { href: "trace", download: offer.fileName }, `Download ${visibleText(offer.fileName)}`)),
    ),
  );
  said.textContent = "Reading the trace…";
  let buffer: ArrayBuffer;
  try {
    const answer = await fetch("trace");
    if (!answer.ok) throw new Error(`the server said ${answer.status}`);
    buffer = await answer.arrayBuffer();
  } catch (error) {
    said.textContent = `The trace could not be read: ${error instanceof Error ? error.message : String(error)}. Is “blackout open” still running?`;
    return;
  }
  said.textContent = "";
  button.disabled = false;
  button.focus();
  button.addEventListener("click", () => {
    button.disabled = true;
    said.textContent = `Waiting for ${host}…`;
    void handOver({ ...offer, buffer }).then(async (result) => {
      button.disabled = false;
      if (result.what === "failed") {
        said.textContent = result.reason;
        return;
      }
      said.textContent = "Handed over. This page can be closed.";
      await fetch("done", { method: "POST" }).catch(() => undefined);
    });
  });
}

const app = document.getElementById("app");
if (app !== null) void start(app);
