/** What the service answers: metrics, health, the viewer, and what the viewer's reader may want as JSON. */
import { existsSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { OPEN_METRICS_TYPE, openMetricsText, prometheusText, TEXT_TYPE } from "../../export/prometheus/open-metrics.js";
import { PROTOBUF_TYPE, protobufMetrics } from "../../export/prometheus/prometheus-protobuf.js";
import { embedJson, type PackedUpdate, renderPackedReport } from "../../export/report.js";
import type { ReportEntry } from "../../report/report-index.js";
import type { CaptureOptions } from "../input/capture-options.js";
import type { Answer } from "../web/loopback.js";
import type { WorkerPool } from "../workers/worker-pool.js";
import { serviceFamilies } from "./families.js";
import { isFiring } from "./intake/alerts.js";
import type { WatchService } from "./service.js";

const TEMPLATE = new URL("../../viewer/served-template.html", import.meta.url);
/** Updates that the viewer is given whole: the latest whose captures still lie in the folder. */
const MOST_SHOWN = 25;
const MOST_LISTED = 1_000;
const JSON_TYPE = "application/json; charset=utf-8";

interface Shown {
  readonly entry: ReportEntry;
  readonly packed: PackedUpdate;
}

export class WatchPages {
  readonly #service: WatchService;
  readonly #pool: WorkerPool;
  readonly #reading: CaptureOptions;
  readonly #version: string;
  /** Of what was shown last, so that a page is not worked for twice. */
  #shown: ReadonlyMap<string, Shown> = new Map();

  constructor(service: WatchService, pool: WorkerPool, reading: CaptureOptions, version: string) {
    this.#service = service;
    this.#pool = pool;
    this.#reading = reading;
    this.#version = version;
  }

  /** Below the token. */
  async answer(method: "GET" | "POST", path: string, accept: string): Promise<Answer | null> {
    if (method !== "GET") return null;
    switch (path) {
      case "":
        return { type: "text/html; charset=utf-8", body: await this.#page() };
      case "metrics":
        return this.#metrics(accept);
      case "metrics/native":
        return this.#nativeMetrics(accept);
      case "healthz":
        return this.health();
      case "updates.json":
        return json(this.#updates());
      case "gate.json":
        return json(this.#service.gates);
      case "alerts.json":
        return json(this.#service.alerts);
      case "captures.json":
        return json(this.#captures());
      default:
        return null;
    }
  }

  /** Reports no more than whether all is well: anyone may ask. */
  health(): Answer {
    const well = this.#service.troubles.length === 0;
    return { type: "text/plain; charset=utf-8", body: well ? "ok\n" : "trouble\n", status: well ? 200 : 503 };
  }

  #metrics(accept: string): Answer {
    const families = serviceFamilies(this.#service, this.#version);
    return accept.includes("application/openmetrics-text")
      ? { type: OPEN_METRICS_TYPE, body: openMetricsText(families) }
      : { type: TEXT_TYPE, body: prometheusText(families) };
  }

  /** On a path of its own: a Prometheus that takes native histograms drops the classic ones, which the rules read. */
  #nativeMetrics(accept: string): Answer {
    if (!accept.includes("application/vnd.google.protobuf")) {
      const body =
        "native histograms are served as protobuf only: start Prometheus with its feature native-histograms\n";
      return { type: "text/plain; charset=utf-8", body, status: 406 };
    }
    return { type: PROTOBUF_TYPE, body: protobufMetrics(serviceFamilies(this.#service, this.#version)) };
  }

  /** The latest of the window, the latest first, without their causes. */
  #updates(): unknown {
    return this.#service.window.latest(MOST_LISTED).map(({ sample, atMs }) => ({ ...sample, causes: undefined, atMs }));
  }

  #captures(): unknown {
    const { intake, journal, counters, troubles } = this.#service;
    const finished = [...journal].map(([path, { atMs, result }]) => ({ path, atMs, ...result }));
    finished.sort((a, b) => b.atMs - a.atMs || (a.path < b.path ? -1 : 1));
    const some = (kind: string) => finished.filter((each) => each.kind === kind).slice(0, MOST_LISTED);
    return {
      troubles,
      counted: counters.captures,
      refused: some("refused"),
      taken: some("taken"),
      duplicate: some("duplicate"),
      changing: intake.paths("changing").slice(0, MOST_LISTED),
      queued: intake.paths("ready").slice(0, MOST_LISTED),
      running: intake.paths("running"),
    };
  }

  async #page(): Promise<string> {
    const latest = [...this.#service.journal]
      .filter(([path, { result }]) => result.kind !== "refused" && existsSync(path))
      .sort(([, a], [, b]) => b.atMs - a.atMs)
      .slice(0, MOST_SHOWN)
      .reverse();
    const made = await Promise.all(
      latest.map(async ([path, { fingerprint }]): Promise<readonly (readonly [string, Shown])[]> => {
        const id = `${fingerprint} ${path}`;
        const known = this.#shown.get(id);
        if (known !== undefined) return [[id, known]];
        const outcome = await this.#pool.run(
          { what: "page", path, reading: this.#reading, below: this.#service.folder },
          true,
        );
        if (outcome.kind !== "page") return [];
        const { entry, packed } = outcome;
        return [[id, { entry: { ...entry, name: `${basename(path)} ${entry.name}` }, packed }]];
      }),
    );
    this.#shown = new Map(made.flat());
    const shown = [...this.#shown.values()];
    const firing = this.#service.alerts.filter(isFiring).length;
    const title = `blackout watch: ${shown.length} latest updates${firing === 0 ? "" : `, ${firing} alerts`}`;
    const served = { redacted: true, traces: [] };
    const template = embedJson(readFileSync(TEMPLATE, "utf8"), "blackout-served", served, title);
    const index = { format: "blackout-report", version: 1, title, entries: shown.map(({ entry }) => entry) } as const;
    return renderPackedReport(
      index,
      shown.map(({ packed }) => packed),
      template,
    );
  }
}

function json(value: unknown): Answer {
  return { type: JSON_TYPE, body: `${JSON.stringify(value)}\n` };
}
