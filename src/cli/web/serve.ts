import { existsSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { handoverUrl } from "../../export/perfetto/perfetto-handover.js";
import { embedJson, renderReportOf } from "../../export/report.js";
import type { LiveUpdate } from "../../model/live-update.js";
import { redactUpdate } from "../../report/redact.js";
import { reportIndex } from "../../report/report-index.js";
import { capturesIn, isCapturePath } from "../files/capture-paths.js";
import { type Context, defineCommand, exit, misused, unusable } from "../frame/command.js";
import { one } from "../frame/options.js";
import { captureOptions, captureOptionsOf } from "../input/capture-options.js";
import { analyzeCaptures, drawn, listNames, withCapture } from "../input/load.js";
import { type OpenedBrowser, openBrowser } from "./browser.js";
import { type Answer, startLoopback } from "./loopback.js";
import { TRACE_TYPE, traceOf, uiOptions, uiProblem } from "./open.js";

const TEMPLATE = new URL("../../viewer/served-template.html", import.meta.url);
/** The facts on its server that the page receives. */
function served(updates: readonly LiveUpdate[], ui: string, redacted: boolean): object {
  return {
    redacted,
    traces: updates.map((update, i) => ({
      path: `trace/${i}`,
      url: handoverUrl(update, ui),
      title: update.document.capture.name,
    })),
  };
}

export const serveCommand = defineCommand({
  usage: null,
  description:
    "Analyses every capture in the folder and serves them on 127.0.0.1, at an address with a random part, until Ctrl+C. The page is that of the report and can hand each update to the Perfetto UI. Kernel addresses, command lines and the KASLR offset are removed.",
  options: { ...uiOptions, ...captureOptions },
  positionals: { folder: one("A folder of captures, or one capture") },
  examples: [
    { command: "blackout serve traces/cohorts/base", what: "Show ten updates in the browser of this machine" },
  ],
  exitCodes: [],
  run: async (context, { options, positionals }) => {
    const problem = uiProblem(options.ui);
    if (problem !== null) return misused(context, problem);
    const found = isCapturePath(positionals.folder) ? [positionals.folder] : capturesIn(positionals.folder);
    if (found.length === 0) {
      return unusable(
        context,
        existsSync(positionals.folder)
          ? `${positionals.folder} holds no captures: expected folders with a capture.json, or .tar, .tar.gz or .tar.zst archives`
          : `${positionals.folder} is not there`,
      );
    }
    const reading = captureOptionsOf(options);
    const { updates, paths, failures } = await analyzeCaptures(context, found, reading, drawn);
    for (const failure of failures) unusable(context, failure);
    if (updates.length === 0) return exit.unusableInput;
    const shown = options.unredacted ? updates : updates.map(redactUpdate);
    const title = basename(positionals.folder) || positionals.folder;
    const template = embedJson(
      readFileSync(TEMPLATE, "utf8"),
      "blackout-served",
      served(shown, options.ui, !options.unredacted),
      title,
    );
    const page = renderReportOf(reportIndex(shown, title, listNames(shown, paths)), shown, template);
    const trace = async (path: string): Promise<Answer | null> => {
      const index = /^trace\/(\d{1,6})$/.exec(path)?.[1];
      const capture = index === undefined ? undefined : paths[Number(index)];
      if (capture === undefined) return null;
      const made = await withCapture(capture, reading, (loaded) => traceOf(loaded, options.unredacted));
      return made.ok ? { type: TRACE_TYPE, body: made.value, fileName: `${basename(capture)}.pftrace` } : null;
    };
    const server = await startLoopback((method, path) => {
      if (method !== "GET") return null;
      return path === "" ? { type: "text/html; charset=utf-8", body: page } : trace(path);
    }, options.port);
    if (!server.ok) return unusable(context, server.error);
    const browser = options["print-url"] ? null : await openBrowser(server.value.entrance());
    announce(context, server.value.url, browser);
    await interrupted();
    browser?.close();
    await server.value.close();
    return failures.length > 0 ? exit.unusableInput : exit.success;
  },
});

function announce(context: Context, url: string, browser: OpenedBrowser | null): void {
  if (browser === null) context.stdout.write(`${url}\n`);
  else if (browser.started) context.stderr.write(`Serving at ${url}; Ctrl+C ends it.\n`);
  else context.stderr.write(`No browser could be started; open this address in one: ${url}\n`);
}

function interrupted(): Promise<void> {
  return new Promise((done) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => done());
  });
}
