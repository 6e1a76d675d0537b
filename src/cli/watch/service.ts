/**
 * The service: looks through the folder, has captures analysed, adds what was found to the archive, and keeps alerts,
 * metrics and the window up to date. `Intake`, `GateWindow` and `AlertOutbox` decide; this file holds only the order of
 * the steps, and what must be on disk before what.
 */
import { watch as watchFolder } from "node:fs";
import { FleetTally } from "../../analyze/fleet/tally.js";
import type { UpdateSample } from "../../model/update-sample.js";
import type { CaptureOptions } from "../input/capture-options.js";
import type { KillReason, WorkerOutcome, WorkerPool } from "../workers/worker-pool.js";
import { AlertOutbox, type SendCounters } from "./alert-outbox.js";
import type { WatchEvent } from "./events.js";
import { type CohortGate, type GateRules, GateWindow, MOST_UPDATES } from "./gate-window.js";
import type { Alert } from "./intake/alerts.js";
import { lookThrough } from "./intake/folder.js";
import { Intake, type IntakeLimits } from "./intake/intake.js";
import type { Finished, StateFolder } from "./intake/state.js";
import type { UpdateStore } from "./intake/update-store.js";

export interface ServiceSettings {
  readonly folder: string;
  readonly reading: CaptureOptions;
  readonly intake: IntakeLimits;
  readonly rescanMs: number;
  readonly windowMs: number;
  readonly rules: GateRules | null;
}

export interface ServiceParts {
  readonly store: UpdateStore;
  readonly pool: WorkerPool;
  readonly state: StateFolder;
  /**
   * Sends an alert to its receiver until `ended`; false: it was not received. Null: there is no receiver, alerts are
   * only raised.
   */
  readonly notify: ((alert: Alert, ended: AbortSignal) => Promise<boolean>) | null;
  readonly tell: (event: WatchEvent) => void;
  readonly nowMs: () => number;
}

export interface ServiceCounters {
  readonly captures: Record<"taken" | "duplicate" | "refused" | "late", number>;
  readonly killed: Record<KillReason, number>;
  /** How long captures took to analyse, in seconds: of each bucket of ANALYSIS_BOUNDS, then above. */
  readonly analysis: { readonly counts: number[]; sum: number; count: number };
}

export const ANALYSIS_BOUNDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300] as const;

/** Analysed updates wait for so long for others, and are added to the archive together: a commit costs some syncs. */
const GATHER_MS = 1_000;
const MOST_AT_ONCE = 100;
/** More wait in memory only if the archive does not take them: then no further capture is analysed. */
const MOST_PENDING = 200;
/** After an addition failed, or a notification. */
const RETRY_MS = { first: 1_000, longest: 60_000 } as const;
/** A window slides although nothing arrives. */
const EVALUATE_EVERY_MS = 10_000;
/** Other engines see an addition after so long. */
const UPKEEP_EVERY_MS = 10_000;
/** At the end an alert has so long to arrive. */
const LAST_ALERT_MS = 1_000;
const DAY_MS = 86_400_000;

interface Pending {
  readonly path: string;
  readonly fingerprint: string;
  readonly sample: UpdateSample;
}

export class WatchService {
  readonly #settings: ServiceSettings;
  readonly #parts: ServiceParts;
  readonly #intake: Intake;
  readonly #journal: Map<string, Finished>;
  /** Changes of the journal that are not on disk yet. */
  readonly #unsaved = new Map<string, Finished | null>();
  readonly #counters: ServiceCounters = {
    captures: { taken: 0, duplicate: 0, refused: 0, late: 0 },
    killed: { time: 0, memory: 0, crash: 0 },
    analysis: { counts: new Array(ANALYSIS_BOUNDS.length + 1).fill(0), sum: 0, count: 0 },
  };
  readonly window: GateWindow;
  readonly tally: FleetTally;
  readonly startedAtMs: number;
  readonly #outbox: AlertOutbox;
  #gates: readonly CohortGate[] = [];
  #scannedAtMs: number | null = null;
  #pending: Pending[] = [];
  #running = 0;
  #adding = false;
  #gathering: NodeJS.Timeout | null = null;
  #stopping = false;
  #keptUp: Promise<void> = Promise.resolve();
  #isKeepingUp = false;
  readonly #ended = new AbortController();
  #trouble = new Map<string, string>();
  #archiveRetryMs: number = RETRY_MS.first;
  #stops: (() => void)[] = [];

  constructor(settings: ServiceSettings, parts: ServiceParts) {
    this.#settings = settings;
    this.#parts = parts;
    this.#intake = new Intake(settings.intake);
    this.window = new GateWindow(settings.windowMs, settings.rules);
    this.tally = new FleetTally(settings.rules?.budget.limits ?? []);
    this.startedAtMs = parts.nowMs();
    const { journal, alerts, problems } = parts.state.read();
    this.#journal = new Map(journal);
    const { notify } = parts;
    this.#outbox = new AlertOutbox(alerts, {
      notify: notify === null ? null : (alert) => notify(alert, this.#ended.signal),
      save: (changed) => this.#write(() => parts.state.writeAlerts(changed)),
      report: parts.tell,
      trouble: (what) => this.#setTrouble("webhook", what),
      nowMs: parts.nowMs,
      retryMs: RETRY_MS,
    });
    for (const problem of problems) parts.tell({ event: "trouble", what: problem });
  }

  get folder(): string {
    return this.#settings.folder;
  }

  get counters(): ServiceCounters & { readonly webhooks: SendCounters } {
    return { ...this.#counters, webhooks: this.#outbox.counters };
  }

  get alerts(): readonly Alert[] {
    return this.#outbox.alerts;
  }

  get gates(): readonly CohortGate[] {
    return this.#gates;
  }

  get scannedAtMs(): number | null {
    return this.#scannedAtMs;
  }

  get journal(): ReadonlyMap<string, Finished> {
    return this.#journal;
  }

  get intake(): Intake {
    return this.#intake;
  }

  /** Analysed, and not in the archive yet. */
  get pending(): number {
    return this.#pending.length;
  }

  /** What is wrong now, a sentence each; none: all is well. */
  get troubles(): readonly string[] {
    return [...this.#trouble.values()];
  }

  /** Takes up what the archive holds; resolves to how many updates that is. */
  async load(): Promise<number> {
    const { store, nowMs } = this.#parts;
    const now = nowMs();
    const arrivals = new Map<string, number>();
    for (const { result, atMs } of this.#journal.values()) if (result.kind !== "refused") arrivals.set(result.id, atMs);
    const dating = { latestMs: now + DAY_MS, arrivals };
    const updates = await store.count(this.tally, dating);
    const sinceMs = now - this.#settings.windowMs;
    const causes = this.window.keepsCauses;
    for (const { sample, atMs } of await store.latest(dating, { sinceMs, most: MOST_UPDATES, causes })) {
      this.window.add(sample, atMs, now);
    }
    await this.evaluate();
    return updates;
  }

  /** Watches until `stop`. */
  start(): void {
    const { folder, rescanMs } = this.#settings;
    const every = (ms: number, what: () => void): void => {
      const timer = setInterval(what, ms);
      this.#stops.push(() => clearInterval(timer));
    };
    let soon: NodeJS.Timeout | null = null;
    try {
      // Says that something changed; what, the next look says. Without it (a network's file system) the rescan does.
      const watcher = watchFolder(folder, () => {
        soon ??= setTimeout(() => {
          soon = null;
          this.scan();
        }, 100);
      });
      watcher.on("error", () => {});
      this.#stops.push(() => watcher.close());
    } catch {
      // As above: the rescan does.
    }
    this.#stops.push(() => soon !== null && clearTimeout(soon));
    every(rescanMs, () => this.scan());
    // An entry is found settled at the second look: not later than needed.
    every(Math.max(50, Math.min(this.#settings.intake.settleMs / 2, rescanMs)), () => {
      if (this.#intake.count("changing") > 0) this.scan();
      else this.#startAnalyses();
    });
    every(EVALUATE_EVERY_MS, () => void this.evaluate());
    every(UPKEEP_EVERY_MS, () => void this.keepUp());
    this.scan();
  }

  /** Ends the watching; what is analysed by then is in the archive when it resolves. */
  async stop(): Promise<void> {
    this.#stopping = true;
    for (const stop of this.#stops.splice(0)) stop();
    this.#parts.pool.close();
    // An alert that is on its way may arrive; one that does not is sent again by the next service.
    const lastAlert = setTimeout(() => this.#ended.abort(), LAST_ALERT_MS);
    if (this.#gathering !== null) clearTimeout(this.#gathering);
    while (this.#adding) await new Promise((done) => setTimeout(done, 20));
    await this.#addPending();
    while (this.#outbox.isSending) await new Promise((done) => setTimeout(done, 20));
    clearTimeout(lastAlert);
    this.#ended.abort();
    await this.#keptUp;
    await this.keepUp();
  }

  /** Has the archive kept in order, one such work at a time; additions go on meanwhile. */
  async keepUp(): Promise<void> {
    if (this.#isKeepingUp) return;
    this.#isKeepingUp = true;
    const { store, nowMs, tell } = this.#parts;
    this.#keptUp = store.upkeep(nowMs(), this.#ended.signal).then(
      ({ compacted, damaged }) => {
        if (compacted !== null) tell({ event: "compacted", ...compacted });
        this.#setTrouble("damage", damaged.length === 0 ? null : `the archive is damaged: ${damaged.join("; ")}`);
        this.#setTrouble("upkeep", null);
      },
      (error: unknown) =>
        this.#setTrouble("upkeep", `the archive's upkeep failed, and is tried again: ${(error as Error).message}`),
    );
    await this.#keptUp;
    this.#isKeepingUp = false;
  }

  /** Resolves once nothing is left to do but to wait for entries that never stop changing. */
  async settled(): Promise<void> {
    const isBusy = (): boolean =>
      this.#scannedAtMs === null ||
      !this.#intake.isSettled ||
      this.#running > 0 ||
      this.#pending.length > 0 ||
      this.#adding;
    while (isBusy() || this.#outbox.isSending) await new Promise((done) => setTimeout(done, 50));
  }

  /** Looks through the folder once. */
  scan(): void {
    if (this.#stopping) return;
    const { folder, intake } = this.#settings;
    const { nowMs, tell } = this.#parts;
    let view: ReturnType<typeof lookThrough>;
    try {
      view = lookThrough(folder, MOST_ENTRIES);
    } catch (error) {
      this.#setTrouble("folder", `${folder} cannot be read: ${(error as Error).message}`);
      return;
    }
    this.#setTrouble("folder", null);
    let changed = false;
    for (const { path, fingerprint, reason } of view.unusable) {
      if (this.#journal.get(path)?.fingerprint === fingerprint) continue;
      this.#refuse(path, fingerprint, `${path}: ${reason}`, null);
      changed = true;
    }
    const { late } = this.#intake.observe(
      view.sightings,
      nowMs(),
      ({ path, fingerprint }) => this.#journal.get(path)?.fingerprint === fingerprint,
    );
    for (const path of late) {
      this.#counters.captures.late += 1;
      tell({ event: "late", path });
    }
    const seen = new Set([...view.sightings, ...view.unusable].map(({ path }) => path));
    const complete = view.sightings.length < MOST_ENTRIES;
    for (const [path, { atMs }] of this.#journal) {
      // What is gone from the folder is remembered for as long as the window may need its time.
      if (complete && !seen.has(path) && atMs < nowMs() - Math.max(this.#settings.windowMs, intake.settleMs)) {
        this.#note(path, null);
        changed = true;
      }
    }
    this.#scannedAtMs = nowMs();
    if (changed) this.#save();
    this.#startAnalyses();
  }

  #startAnalyses(): void {
    const { pool, nowMs } = this.#parts;
    while (!this.#stopping && pool.hasRoom && this.#pending.length + this.#running < MOST_PENDING) {
      const next = this.#intake.next();
      if (next === null) return;
      this.#running += 1;
      const sinceMs = nowMs();
      void pool
        .run({ what: "sample", path: next.path, reading: this.#settings.reading, below: this.#settings.folder })
        .then((outcome) => {
          this.#running -= 1;
          if (this.#stopping && outcome.kind === "killed") return;
          this.#observeAnalysis((nowMs() - sinceMs) / 1e3);
          this.#take(next.path, next.fingerprint, outcome);
          this.#startAnalyses();
        });
    }
  }

  #addSoon(afterMs: number): void {
    this.#gathering ??= setTimeout(() => {
      this.#gathering = null;
      void this.#addPending();
    }, afterMs);
  }

  #observeAnalysis(seconds: number): void {
    const { analysis } = this.#counters;
    const at = ANALYSIS_BOUNDS.findIndex((bound) => seconds <= bound);
    const bucket = at < 0 ? ANALYSIS_BOUNDS.length : at;
    analysis.counts[bucket] = (analysis.counts[bucket] ?? 0) + 1;
    analysis.sum += seconds;
    analysis.count += 1;
  }

  #take(path: string, fingerprint: string, outcome: WorkerOutcome): void {
    // What was read of an entry that changed meanwhile may be half of it.
    if (!this.#intake.analysed(path)) return;
    switch (outcome.kind) {
      case "sample":
        this.#pending.push({ path, fingerprint, sample: outcome.sample });
        if (this.#pending.length >= MOST_AT_ONCE && !this.#trouble.has("archive")) void this.#addPending();
        else this.#addSoon(GATHER_MS);
        return;
      case "refused":
        this.#refuse(path, fingerprint, outcome.reason, null);
        break;
      case "killed":
        this.#counters.killed[outcome.why] += 1;
        this.#refuse(path, fingerprint, `${path}: ${outcome.detail}`, outcome.why);
        break;
      case "page":
        throw new Error("a page was not asked for");
    }
    this.#save();
  }

  #refuse(path: string, fingerprint: string, reason: string, killed: KillReason | null): void {
    this.#intake.finish(path);
    this.#counters.captures.refused += 1;
    this.#note(path, { fingerprint, atMs: this.#parts.nowMs(), result: { kind: "refused", reason } });
    this.#parts.tell({ event: "refused", path, reason, killed });
  }

  /** The archive first, then the journal: a crash between the two has the capture analysed again, and found there. */
  async #addPending(): Promise<void> {
    if (this.#adding || this.#pending.length === 0) return;
    this.#adding = true;
    const batch = this.#pending.slice(0, MOST_AT_ONCE);
    const { store, nowMs, tell } = this.#parts;
    try {
      const { results } = await store.add(batch.map(({ sample }) => sample));
      this.#pending = this.#pending.slice(batch.length);
      batch.forEach(({ path, fingerprint, sample }, i) => {
        const result = results[i] ?? { kind: "refused", reason: "the archive did not answer" };
        if (result.kind === "refused") {
          this.#refuse(path, fingerprint, `${path}: ${result.reason}`, null);
          return;
        }
        const kind = result.kind === "added" ? "taken" : "duplicate";
        this.#counters.captures[kind] += 1;
        // One that has changed meanwhile has another fingerprint than the journal's, and is analysed again.
        this.#intake.finish(path);
        this.#note(path, { fingerprint, atMs: nowMs(), result: { kind, id: result.id } });
        if (kind === "taken") this.#count(sample, nowMs(), nowMs());
        tell({ event: kind, path, id: result.id, sample });
      });
      this.#archiveRetryMs = RETRY_MS.first;
      this.#setTrouble("archive", null);
    } catch (error) {
      this.#setTrouble("archive", `the archive takes nothing, which is tried again: ${(error as Error).message}`);
      this.#adding = false;
      if (!this.#stopping) {
        this.#addSoon(this.#archiveRetryMs);
        this.#archiveRetryMs = Math.min(2 * this.#archiveRetryMs, RETRY_MS.longest);
      }
      return;
    }
    this.#adding = false;
    this.#save();
    await this.evaluate();
    if (this.#pending.length > 0) await this.#addPending();
    else this.#startAnalyses();
  }

  /** `takenInMs`: when it came, which dates an update whose host's clock says nothing, or nonsense. */
  #count(sample: UpdateSample, takenInMs: number | null, nowMs: number): void {
    const { takenAtMs } = sample;
    const atMs = takenAtMs === null || takenAtMs > nowMs + DAY_MS ? takenInMs : takenAtMs;
    this.tally.add(sample, atMs);
    if (atMs !== null) this.window.add(sample, atMs, nowMs);
  }

  /** Judges the window as it is now; alerts are on disk before they are sent. */
  async evaluate(): Promise<void> {
    const { nowMs } = this.#parts;
    this.window.slide(nowMs());
    this.#gates = this.window.evaluate();
    const evaluations = this.#gates.map(({ key, document }) => ({ key, checks: document.checks }));
    this.#outbox.update(evaluations);
    await this.#outbox.deliver();
  }

  #note(path: string, entry: Finished | null): void {
    if (entry === null) this.#journal.delete(path);
    else this.#journal.set(path, entry);
    this.#unsaved.set(path, entry);
  }

  #save(): void {
    this.#write(() => {
      this.#parts.state.record(this.#unsaved, this.#journal);
      this.#unsaved.clear();
    });
  }

  #write(write: () => void): void {
    try {
      write();
      this.#setTrouble("state", null);
    } catch (error) {
      this.#setTrouble("state", `${this.#parts.state.path} cannot be written: ${(error as Error).message}`);
    }
  }

  /** Reported once, until it is over. */
  #setTrouble(where: string, what: string | null): void {
    if (what === null) this.#trouble.delete(where);
    else if (this.#trouble.get(where) !== what) {
      this.#trouble.set(where, what);
      this.#parts.tell({ event: "trouble", what });
    }
  }
}

/** Entries of a folder that are looked at: what lies beyond is seen once others are gone. */
const MOST_ENTRIES = 100_000;
