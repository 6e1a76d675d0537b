import { mkdirSync, statSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, join, resolve } from "node:path";
import type { Cohort } from "../../analyze/cohort/cohort.js";
import { cohortName } from "../../analyze/fleet/fleet-cohort.js";
import { ArchiveError } from "../../archive/format.js";
import { alertBody, WEBHOOK_BODIES, type WebhookBody } from "../../export/ci/webhook-bodies.js";
import { labelsOfKey } from "../../export/prometheus/fleet-metrics.js";
import { seedOption } from "../cohort/compare.js";
import { type Context, defineCommand, exit, misused, unusable } from "../frame/command.js";
import {
  choiceOption,
  flagOption,
  integerOption,
  one,
  repeated,
  required,
  sizeOption,
  textOption,
  windowOption,
  withDefault,
} from "../frame/options.js";
import { readBudget } from "../input/budget-file.js";
import { captureOptions, captureOptionsOf } from "../input/capture-options.js";
import { type WatchEvent, watchEventJson, watchEventText } from "../watch/events.js";
import type { GateRules } from "../watch/gate-window.js";
import { type Alert, deliveryKeyOf } from "../watch/intake/alerts.js";
import { openArchiveStore } from "../watch/intake/archive-store.js";
import { StateFolder } from "../watch/intake/state.js";
import { parseListen, tokenOf } from "../watch/listen.js";
import { WatchPages } from "../watch/pages.js";
import { WatchService } from "../watch/service.js";
import { startLoopback } from "../web/loopback.js";
import { RETRIES, sendWebhook, type WebhookTarget, webhookTarget } from "../web/webhook.js";
import { loadCohort } from "../workers/cohort-load.js";
import { WorkerPool } from "../workers/worker-pool.js";
import { DEFAULT_WINDOW_SECONDS } from "./rules.js";

const DEFAULT_PORT = 9797;
/** Entries of the folder that are followed at once; further ones wait there. */
const MOST_FOLLOWED = 10_000;

export const watchCommand = defineCommand({
  usage: null,
  description:
    "Watches a folder. Each capture that has stopped changing is analysed in a separate process with limits on time and memory, and added to the archive. The checks of a budget run over a sliding window of updates, per cohort. An alert is raised once when a check fails and resolved once when it passes again, also across restarts.\nServes /metrics, the viewer and its JSON on the loopback address, at a path that begins with the token or to a client with the bearer token; /healthz needs no token. docs/watch.md has the details, a systemd unit and a scrape configuration.\nStops on Ctrl+C or SIGTERM; no capture is lost or added twice.",
  options: {
    archive: required(textOption("ARCHIVE", "Keep updates in this archive; created if it does not exist", "a")),
    budget: textOption("FILE", "Check against this budget (docs/budget.md)", "b"),
    baseline: textOption("COHORT", "Compare with this cohort by the budget's regression rules"),
    window: withDefault(windowOption("TIME", "Check updates of this last period"), DEFAULT_WINDOW_SECONDS),
    listen: withDefault(textOption("ADDRESS:PORT", "Listen on this address"), `127.0.0.1:${DEFAULT_PORT}`),
    "no-listen": flagOption("Do not listen"),
    name: repeated(textOption("NAME", "Also accept requests for this host name")),
    "token-file": textOption(
      "FILE",
      "Read the token from this file; created if it does not exist (default: in the state folder)",
    ),
    state: textOption("FOLDER", "Keep state across restarts in this folder (default: ARCHIVE.watch)"),
    webhook: textOption(
      "URL",
      "Send alerts to this URL (env:NAME reads it from the environment); bearer token from BLACKOUT_WEBHOOK_TOKEN",
    ),
    "webhook-body": withDefault(choiceOption("BODY", WEBHOOK_BODIES, "Format of the message"), "slack"),
    "keep-captures": flagOption("Keep the captures in the archive, beside their updates"),
    jobs: integerOption(
      "N",
      { min: 1, max: 256 },
      "Analyse N captures at a time (default: one less than CPUs, at most 4)",
    ),
    timeout: withDefault(windowOption("TIME", "Abort the analysis of a capture after this time"), 120),
    memory: withDefault(sizeOption("SIZE", "Abort the analysis of a capture above this memory use"), 2 ** 31),
    settle: withDefault(windowOption("TIME", "Analyse a capture that has not changed for this time"), 2),
    patience: withDefault(windowOption("TIME", "Report a capture that still changes after this time"), 600),
    rescan: withDefault(windowOption("TIME", "Scan the folder at this interval, also without notifications"), 10),
    once: flagOption("Exit when all captures in the folder have been processed"),
    json: flagOption("Print events as JSON, one document per line (docs/watch.md)"),
    seed: seedOption,
    ...captureOptions,
  },
  positionals: { folder: one("Folder in which captures arrive") },
  examples: [
    {
      command: "blackout watch /var/spool/blackout --archive /var/lib/blackout --budget budget.yaml",
      what: "Watch the captures that other hosts send",
    },
    {
      command: "blackout watch spool -a archive -b budget.yaml --webhook env:SLACK_URL --window 24h",
      what: "Alert a channel by the updates of the last day",
    },
    {
      command: "blackout watch traces/cohorts/base -a out/archive --once --no-listen",
      what: "Process what is there, then exit",
    },
  ],
  exitCodes: [
    { code: exit.success, meaning: "stopped as requested" },
    { code: exit.unusableInput, meaning: "unusable folder or archive; with --once, an unusable capture" },
  ],
  run: async (context, { options, positionals }) => {
    const { folder } = positionals;
    if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) {
      return unusable(context, `${folder} is not a folder: name the one that captures arrive in`);
    }
    const listen = parseListen(options.listen);
    if (!listen.ok) return misused(context, listen.error);
    const target = options.webhook === null ? null : webhookTarget(options.webhook, context.env);
    if (target !== null && !target.ok) return misused(context, target.error);
    if (target !== null && options.budget === null) return misused(context, "--webhook: no --budget, so no alerts");
    if (options.baseline !== null && options.budget === null) return misused(context, "--baseline: no --budget");
    const budget = options.budget === null ? null : readBudget(options.budget);
    if (budget !== null && !budget.ok) return misused(context, budget.error);
    const reading = captureOptionsOf(options);
    let baseline: Cohort | null = null;
    if (options.baseline !== null) {
      const loaded = await loadCohort(context, options.baseline, reading);
      if (!loaded.ok) return unusable(context, loaded.error);
      for (const failure of loaded.value.failures) unusable(context, failure);
      baseline = loaded.value.cohort;
    }
    const rules: GateRules | null =
      budget === null || options.budget === null
        ? null
        : { budget: budget.value, budgetFile: options.budget, baseline, seed: options.seed };

    const statePath = options.state ?? `${resolve(options.archive)}.watch`;
    if (isInside(folder, statePath) || isInside(folder, options.archive)) {
      return misused(context, `${folder}: archive and state may not lie in the folder that is watched`);
    }
    const opened = StateFolder.open(statePath);
    if (!opened.ok) return unusable(context, opened.error);
    const state = opened.value;
    const tell = teller(context, options.json);
    const limits = {
      jobs: options.jobs ?? Math.max(1, Math.min(4, availableParallelism() - 1)),
      timeoutMs: options.timeout * 1e3,
      memoryBytes: options.memory,
    };
    const pool = new WorkerPool(limits);
    try {
      mkdirSync(dirname(resolve(options.archive)), { recursive: true });
      const store = await openArchiveStore(options.archive, options["keep-captures"]);
      const service = new WatchService(
        {
          folder,
          reading,
          intake: { settleMs: options.settle * 1e3, patienceMs: options.patience * 1e3, most: MOST_FOLLOWED },
          rescanMs: options.rescan * 1e3,
          windowMs: options.window * 1e3,
          rules,
        },
        {
          store,
          pool,
          state,
          notify: target === null ? null : notifier(target.value, options["webhook-body"]),
          tell,
          nowMs: Date.now,
        },
      );
      const updates = await service.load();
      tell({ event: "started", folder, archive: options.archive, updates });
      let close = async (): Promise<void> => {};
      if (!options["no-listen"]) {
        const token = tokenOf(options["token-file"] ?? join(statePath, "token"));
        if (!token.ok) return unusable(context, token.error);
        const pages = new WatchPages(service, pool, reading, context.version);
        const { address, port } = listen.value;
        const server = await startLoopback((method, path, accept) => pages.answer(method, path, accept), port, {
          address,
          names: options.name,
          token: token.value,
          open: (path) => (path === "healthz" ? pages.health() : null),
        });
        if (!server.ok) return unusable(context, server.error.replace("--port", "--listen"));
        close = server.value.close;
        // A log is read by others: the token is for those who may read its file, or see this terminal.
        const shown = context.isTerminal ? server.value.url : server.value.url.replace(token.value, "TOKEN");
        tell({ event: "listening", url: shown });
      }
      service.start();
      await Promise.race([interrupted(), ...(options.once ? [service.settled()] : [])]);
      await service.stop();
      await close();
      store.close();
      tell({ event: "stopped" });
      return options.once && service.counters.captures.refused > 0 ? exit.unusableInput : exit.success;
    } catch (error) {
      if (error instanceof ArchiveError) return unusable(context, error.message);
      throw error;
    } finally {
      pool.close();
      state.close();
    }
  },
});

function isInside(folder: string, path: string): boolean {
  return `${resolve(path)}/`.startsWith(`${resolve(folder)}/`);
}

/** Answers go to standard output, for programs; a service's log is what it says on standard error. */
function teller(context: Context, forProgram: boolean): (event: WatchEvent) => void {
  return (event) => {
    if (forProgram) context.stdout.write(`${watchEventJson(event, Date.now())}\n`);
    else context.stderr.write(`${watchEventText(event)}\n`);
  };
}

function notifier(target: WebhookTarget, body: WebhookBody): (alert: Alert, ended: AbortSignal) => Promise<boolean> {
  return async (alert, ended) => {
    const told = { ...alert, labels: labelsOfKey(alert.key), cohort: cohortName(alert.key) };
    return (await sendWebhook(target, alertBody(told, body), RETRIES, deliveryKeyOf(alert), ended)).ok;
  };
}

function interrupted(): Promise<void> {
  return new Promise((done) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => done());
  });
}
