import { mkdirSync, statSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, join, resolve } from "node:path";
import type { Cohort } from "../../analyze/cohort/cohort.js";
import { cohortName } from "../../analyze/fleet/fleet-cohort.js";
import { ArchiveError } from "../../archive/format.js";
import { alertBody, WEBHOOK_BODIES, type WebhookBody } from "../../export/ci/gate-webhook.js";
import { labelsOfKey } from "../../export/prometheus/fleet-metrics.js";
import { seedOption } from "../cohort/compare.js";
import { type Context, defineCommand, exit, misused, unusable } from "../frame/command.js";
import { choice, flag, integer, one, repeated, required, size, text, window, withDefault } from "../frame/options.js";
import { readBudget } from "../input/budget-file.js";
import { captureOptions, captureOptionsOf } from "../input/capture-options.js";
import { eventJson, eventText, type WatchEvent } from "../watch/events.js";
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

export const watch = defineCommand({
  usage: null,
  description:
    "Watches a folder: each capture that has stopped changing is analysed by a process of its own limits, and added to the archive. A budget's checks are made over a sliding window of updates, cohort by cohort; an alert is raised once when one fails and resolved once when it passes again, over restarts too.\nServes /metrics, the viewer and its JSON on loopback, under an address that begins with the token, or to a bearer of it; /healthz is for everyone. docs/watch.md has all of it, with a systemd unit and a scrape configuration.\nEnds with Ctrl+C or SIGTERM; nothing is lost, and nothing is taken in twice.",
  options: {
    archive: required(text("ARCHIVE", "Where updates are kept; made where there is none", "a")),
    budget: text("FILE", "The budget whose checks are made (docs/budget.md)", "b"),
    baseline: text("COHORT", "Compare with this cohort, by the budget's regression rules"),
    window: withDefault(window("TIME", "How far back updates count for the checks"), DEFAULT_WINDOW_SECONDS),
    listen: withDefault(text("ADDRESS:PORT", "Where to serve"), `127.0.0.1:${DEFAULT_PORT}`),
    "no-listen": flag("Serve nothing"),
    name: repeated(text("NAME", "A host name by which it may be asked, beside the address")),
    "token-file": text("FILE", "The token; made where there is none (in the state folder)"),
    state: text("FOLDER", "What is remembered over restarts (ARCHIVE.watch)"),
    webhook: text("URL", "Tell alerts to this URL, or that in env:NAME; a token in BLACKOUT_WEBHOOK_TOKEN"),
    "webhook-body": withDefault(
      choice("BODY", WEBHOOK_BODIES, "What is sent: one of slack, alertmanager, alertmanager-api"),
      "slack",
    ),
    "keep-captures": flag("Keep the captures in the archive, beside their updates"),
    jobs: integer("N", { min: 1, max: 256 }, "Captures analysed at once (a process fewer than CPUs, at most 4)"),
    timeout: withDefault(window("TIME", "A capture that takes longer is given up"), 120),
    memory: withDefault(size("SIZE", "A capture that takes more memory is given up"), 2 ** 31),
    settle: withDefault(window("TIME", "How long a capture must not have changed"), 2),
    patience: withDefault(window("TIME", "After how long one that still changes is reported"), 600),
    rescan: withDefault(window("TIME", "How often the folder is looked through anyway"), 10),
    once: flag("End once everything that is there has been taken in"),
    json: flag("Print what happens as JSON, one document a line (docs/watch.md)"),
    seed: seedOption,
    ...captureOptions,
  },
  positionals: { folder: one("Where captures arrive") },
  examples: [
    {
      command: "blackout watch /var/spool/blackout --archive /var/lib/blackout --budget budget.yaml",
      what: "A host that collects the captures of others",
    },
    {
      command: "blackout watch spool -a archive -b budget.yaml --webhook env:SLACK_URL --window 24h",
      what: "Tell a channel, by what a day's updates took",
    },
    { command: "blackout watch traces/cohorts/base -a out/archive --once --no-listen", what: "What is there, once" },
  ],
  exitCodes: [
    { code: exit.success, meaning: "ended as it was told to" },
    { code: exit.unusableInput, meaning: "the folder or archive cannot be used; with --once, a capture cannot" },
  ],
  run: async (context, { options, positionals }) => {
    const { folder } = positionals;
    if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) {
      return unusable(context, `${folder} is no folder: name the one that captures arrive in`);
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
    if (forProgram) context.stdout.write(`${eventJson(event, Date.now())}\n`);
    else context.stderr.write(`${eventText(event)}\n`);
  };
}

function notifier(target: WebhookTarget, body: WebhookBody): (alert: Alert) => Promise<boolean> {
  return async (alert) => {
    const told = { ...alert, labels: labelsOfKey(alert.key), cohort: cohortName(alert.key) };
    return (await sendWebhook(target, alertBody(told, body), RETRIES, deliveryKeyOf(alert))).ok;
  };
}

function interrupted(): Promise<void> {
  return new Promise((done) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => done());
  });
}
