import { readFileSync } from "node:fs";
import { attributionOf, writePerfetto } from "../../export/perfetto/perfetto.js";
import { handoverUrl, PERFETTO_UI } from "../../export/perfetto/perfetto-handover.js";
import { redactedFeed } from "../../export/perfetto/redacted-feed.js";
import { embedJson, packLiveUpdate } from "../../export/report.js";
import { redactUpdate } from "../../report/redact.js";
import { defineCommand, exit, misused, unusable } from "../frame/command.js";
import { durationOption, flagOption, integerOption, one, textOption, withDefault } from "../frame/options.js";
import { captureOptions, captureOptionsOf } from "../input/capture-options.js";
import { eventFeedOf, type LoadedCapture, withCapture } from "../input/load.js";
import { openBrowser } from "./browser.js";
import { startLoopback } from "./loopback.js";

const TEMPLATE = new URL("../../viewer/open-template.html", import.meta.url);
export const TRACE_TYPE = "application/octet-stream";

/** A capture's trace in memory, without what must not leave the host unless `unredacted`. */
export function traceOf(loaded: LoadedCapture, unredacted: boolean): Uint8Array {
  const parts: Uint8Array[] = [];
  const feed = eventFeedOf(loaded);
  const [update, events] = unredacted ? [loaded.update, feed] : [redactUpdate(loaded.update), redactedFeed(feed)];
  writePerfetto(update, events, (bytes) => parts.push(bytes), attributionOf(update), packLiveUpdate(update));
  return Buffer.concat(parts);
}

/** The UI's address as given, or what is wrong with it. */
export function uiProblem(ui: string): string | null {
  if (!URL.canParse(ui)) return `--ui is '${ui}', which is not an address: expected one like ${PERFETTO_UI}`;
  const { protocol } = new URL(ui);
  return protocol === "https:" || protocol === "http:"
    ? null
    : `--ui is '${ui}': it must begin with https:// or http://`;
}

export const uiOptions = {
  ui: withDefault(textOption("URL", "Address of the Perfetto UI, if you host your own"), PERFETTO_UI),
  port: withDefault(
    integerOption("N", { min: 0, max: 65535 }, "Listen on this port of 127.0.0.1; 0: any free port"),
    0,
  ),
  "print-url": flagOption("Print the page's address instead of opening a browser"),
  unredacted: flagOption("Keep kernel addresses, command lines and the KASLR offset in the trace"),
};

export const openCommand = defineCommand({
  usage: null,
  description:
    "Serves one page on 127.0.0.1 that hands the trace to the Perfetto UI in your browser: phases pinned, notes at pause, freeze and resume, zoomed to the blackout. The trace stays in the browser. Kernel addresses, command lines and the KASLR offset are removed from it.\nExits when the UI has the trace, or after --patience. On a host without a browser, use --print-url and forward the port (ssh -L), with the same number on both sides.",
  options: {
    ...uiOptions,
    patience: withDefault(
      durationOption("TIME", "Exit if the UI has not taken the trace after this time"),
      600_000_000_000,
    ),
    ...captureOptions,
  },
  positionals: { capture: one("Capture: a folder or an archive") },
  examples: [
    { command: "blackout open traces/plain.tar.gz", what: "Open in the browser of this machine" },
    {
      command: "blackout open --print-url --port 9001 capture/",
      what: "Open from a host reached with ssh -L 9001:127.0.0.1:9001",
    },
  ],
  exitCodes: [],
  run: async (context, { options, positionals }) => {
    const problem = uiProblem(options.ui);
    if (problem !== null) return misused(context, problem);
    const progress = context.progress("Writing the trace");
    const made = await withCapture(
      positionals.capture,
      captureOptionsOf(options),
      (loaded) => ({
        trace: traceOf(loaded, options.unredacted),
        url: handoverUrl(options.unredacted ? loaded.update : redactUpdate(loaded.update), options.ui),
        name: loaded.update.document.capture.name,
      }),
      (what) => progress.update(0, what),
    );
    progress.end();
    if (!made.ok) return unusable(context, made.error);
    const { trace, url, name } = made.value;
    const fileName = `${name.replace(/[^\w.-]+/g, "-").slice(0, 80) || "capture"}.pftrace`;
    const offer = {
      url,
      title: name,
      fileName,
      bytes: trace.length,
      redacted: !options.unredacted,
      patienceMs: 30_000,
    };
    const page = embedJson(readFileSync(TEMPLATE, "utf8"), "blackout-offer", offer, `${name}, blackout`);
    let handedOver: () => void = () => {};
    const done = new Promise<void>((resolve) => {
      handedOver = resolve;
    });
    const server = await startLoopback((method, path) => {
      if (method === "POST" && path === "done") {
        handedOver();
        return { type: "text/plain", body: "" };
      }
      if (method !== "GET") return null;
      if (path === "") return { type: "text/html; charset=utf-8", body: page };
      return path === "trace" ? { type: TRACE_TYPE, body: trace, fileName } : null;
    }, options.port);
    if (!server.ok) return unusable(context, server.error);
    const browser = options["print-url"] ? null : await openBrowser(server.value.entrance());
    if (browser === null) context.stdout.write(`${server.value.url}\n`);
    else if (browser.started) context.stderr.write(`Opening ${server.value.url}; Ctrl+C ends it.\n`);
    else context.stderr.write(`No browser could be started; open this address in one: ${server.value.url}\n`);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<"late">((resolve) => {
      timer = setTimeout(() => resolve("late"), options.patience / 1e6);
    });
    const result = await Promise.race([done, late]);
    clearTimeout(timer);
    // The page's last answer is still on its way.
    await new Promise((resolve) => setTimeout(resolve, 100));
    browser?.close();
    await server.value.close();
    if (result === "late") {
      return unusable(
        context,
        `nobody took the trace within the time given (--patience).\n  Write it to a file instead: blackout perfetto ${positionals.capture} -o ${fileName}`,
      );
    }
    context.stderr.write(`${new URL(options.ui).host} has the trace.\n`);
    return exit.success;
  },
});
