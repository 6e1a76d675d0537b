/**
 * Prometheus rules from a budget: recording rules over a sliding window of the updates that metrics count, and an alert
 * for each thing that the budget limits (docs/watch.md, "Rules"). Pure; the text is the same for the same budget.
 */
import { Document } from "yaml";
import type { Budget, CountLimit, Limit, Statistic } from "../../analyze/compare/budget.js";
import { sizeForUpperBound } from "../../analyze/statistics/order-statistics.js";
import { formatDuration } from "../../base/text/format.js";
import { windowText } from "../../base/text/window.js";
import type { Duration } from "../../base/time.js";
import { HEALTH_SEVERITIES } from "../../model/kernel-lines.js";
import {
  CHECK_METRICS,
  COHORT_LABELS,
  histogramOf,
  type MetricDefinition,
  UPDATE_METRICS,
  WATCH_METRICS,
} from "./fleet-metrics.js";
import type { Labels } from "./metric-family.js";
import { boundText } from "./open-metrics.js";

export interface RulesInput {
  readonly budget: Budget;
  /** As its user named it, for the comment. */
  readonly budgetFile: string;
  readonly windowSeconds: number;
  /** Whether metrics come from `blackout watch`, which can compare with a baseline and can fail; else from files. */
  readonly watched: boolean;
}

interface RecordingRule {
  readonly record: string;
  readonly expr: string;
  readonly labels?: Labels;
}

interface AlertingRule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: Labels;
  readonly annotations: Labels;
}

export interface RuleGroup {
  readonly name: string;
  readonly rules: readonly (RecordingRule | AlertingRule)[];
}

/** One-sided 95 %: the confidence that the gate bounds a percentile with. */
const CONFIDENCE = 0.95;
/** The 95 % quantile of the standard normal distribution. */
const NORMAL_QUANTILE = 1.6449;
/** Recorded whether or not the budget limits them. */
const QUANTILES = [0.5, 0.9, 0.99];

/** The rules file, YAML. */
export function rulesText(input: RulesInput): string {
  const document = new Document({ groups: ruleGroups(input) }, { aliasDuplicateObjects: false });
  document.commentBefore = [
    ` Made by 'blackout rules --budget ${oneLine(input.budgetFile)}' over a window of ${windowText(input.windowSeconds)}.`,
    " Metrics, cohorts and the decision of each alert: docs/watch.md.",
  ].join("\n");
  return document.toString({ lineWidth: 0 });
}

export function ruleGroups(input: RulesInput): readonly RuleGroup[] {
  const { budget, watched } = input;
  const window = windowText(input.windowSeconds);
  const alerts = [
    ...budget.limits.map((limit) => limitAlert(limit, budget.decideBy, window)),
    ...outcomeAlerts(budget, window),
    ...budget.counts.map((limit) => countAlert(limit, window)),
    ...updateAlerts(budget, window),
    ...(watched ? regressionAlerts(budget) : []),
  ];
  return [
    // One group: its rules are evaluated in order, so that alerts see what was recorded just before.
    { name: "blackout-budget", rules: [...recordingRules(input, window), ...alerts] },
    ...(watched ? [{ name: "blackout-watch", rules: watchAlerts() }] : []),
  ];
}

/** Names of the recorded series; dashboards name them by these. */
const recordedNames = (windowSeconds: number) => {
  const window = windowText(windowSeconds);
  return {
    updates: `cohort:blackout_updates:increase${window}`,
    complaints: `cohort:blackout_complaints:increase${window}`,
    buckets: ({ name }: MetricDefinition) => `cohort:${name}_bucket:increase${window}`,
    quantile: ({ name }: MetricDefinition) => `cohort:${name}:quantile${window}`,
    budgetUpdates: `cohort:blackout_budget_updates:increase${window}`,
    budgetOver: `cohort:blackout_budget_over:increase${window}`,
    budgetRatio: `cohort:blackout_budget_over:ratio${window}`,
    budgetLimit: "cohort:blackout_budget_limit_seconds:constant",
  };
};

function recordingRules({ budget, windowSeconds }: RulesInput, window: string): readonly RecordingRule[] {
  const names = recordedNames(windowSeconds);
  const { updates, complaints } = UPDATE_METRICS;
  const limited = budget.limits.map(({ metric }) => histogramOf(metric).definition);
  const histograms = [...new Set([UPDATE_METRICS.duration, UPDATE_METRICS.phaseDuration, ...limited])];
  return [
    {
      record: names.updates,
      expr: `sum by (${updates.labels.join(", ")}) (${inWindow(`${updates.name}_total`, ["probe_level", "workload"], windowSeconds, window)})`,
    },
    ...(budget.counts.some(({ of }) => of.kind === "health")
      ? [
          {
            record: names.complaints,
            expr: `sum by (${complaints.labels.join(", ")}) (${inWindow(`${complaints.name}_total`, ["probe_level", "workload"], windowSeconds, window)})`,
          },
        ]
      : []),
    ...histograms.map((definition) => ({
      record: names.buckets(definition),
      expr: `sum by (${[...definition.labels, "le"].join(", ")}) (${inWindow(`${definition.name}_bucket`, COHORT_LABELS, windowSeconds, window)})`,
    })),
    ...histograms.flatMap((definition) =>
      quantilesOf(definition, budget.limits).map((quantile) => {
        const buckets = names.buckets(definition);
        // A percentile that too few updates cannot bound is not shown as if it were known.
        const needed = sizeForUpperBound(quantile, CONFIDENCE);
        return {
          record: names.quantile(definition),
          labels: { quantile: String(quantile) },
          expr: `histogram_quantile(${quantile}, ${buckets}) and ignoring (le) (${buckets}{le="+Inf"} >= ${needed})`,
        };
      }),
    ),
    ...budget.limits.flatMap(({ metric, atMostNs, text }) => {
      const { definition, labels } = histogramOf(metric);
      const at = (le: string): string =>
        `sum by (${COHORT_LABELS.join(", ")}) (${names.buckets(definition)}${selector(labels, le)})`;
      const check = { check: text };
      return [
        { record: names.budgetLimit, labels: check, expr: `vector(${atMostNs / 1e9})` },
        { record: names.budgetUpdates, labels: check, expr: at('le="+Inf"') },
        // Extrapolated increases are not integers; counts are.
        { record: names.budgetOver, labels: check, expr: `round(${at('le="+Inf"')} - ${at(leMatcher(atMostNs))})` },
        {
          record: names.budgetRatio,
          labels: check,
          expr: `${names.budgetOver}{check=${promqlString(text)}} / (${names.budgetUpdates}{check=${promqlString(text)}} > 0)`,
        },
      ];
    }),
  ];
}

function quantilesOf(definition: MetricDefinition, limits: readonly Limit[]): readonly number[] {
  const asked = limits.flatMap(({ metric, statistic }) =>
    histogramOf(metric).definition === definition && statistic.kind === "percentile" ? [shareOf(statistic)] : [],
  );
  return [...new Set([...QUANTILES, ...asked])].sort((a, b) => a - b);
}

/** 0.999 of p99.9, without what a division by 100 leaves behind. */
function shareOf({ percentile }: Extract<Statistic, { kind: "percentile" }>): number {
  return Number((percentile / 100).toPrecision(12));
}

/**
 * What a counter counted within the window. Counters cover all updates ever, and do not restart with the service: the
 * difference is exact if Prometheus has the series at the begin of the window. For a series that appeared later,
 * everything counts if its earliest update is in the window. Otherwise Prometheus began to scrape within the window, or
 * the archive was cut: the growth that it saw counts.
 */
function inWindow(name: string, cohortLabels: readonly string[], windowSeconds: number, window: string): string {
  const on = ["job", "instance", ...cohortLabels].join(", ");
  const first = `min by (${on}) (${UPDATE_METRICS.firstUpdate.name})`;
  return [
    `(${name} - ${name} offset ${window} >= 0)`,
    `(${name} and on (${on}) (time() - ${first} < ${windowSeconds}))`,
    `increase(${name}[${window}])`,
  ].join(" or ");
}

function selector(labels: Labels, le: string): string {
  return `{${[...Object.entries(labels).map(([key, value]) => `${key}=${promqlString(value)}`), le].join(",")}}`;
}

/** Prometheus stores `5.0`; a relabelling proxy may store `5`. */
function leMatcher(atMostNs: Duration): string {
  const text = boundText(atMostNs / 1e9);
  const whole = /^(\d+)\.0$/.exec(text)?.[1];
  return whole === undefined ? `le=${promqlString(text)}` : `le=~${promqlString(`${whole}(\\.0)?`)}`;
}

/** A PromQL string. */
function promqlString(text: string): string {
  return JSON.stringify(text);
}

const oneLine = (text: string): string => text.replace(/[\r\n]+/g, " ");

/** Text in an annotation, where `{{` begins a template. */
const literal = (text: string): string => text.replaceAll("{{", '{{"{{"}}');

function limitAlert(limit: Limit, decideBy: Budget["decideBy"], window: string): AlertingRule {
  const { statistic, atMostNs, text, why, metric } = limit;
  const labelled = `{check=${promqlString(text)}}`;
  const over = `cohort:blackout_budget_over:increase${window}${labelled}`;
  const updates = `cohort:blackout_budget_updates:increase${window}${labelled}`;
  const ratio = `cohort:blackout_budget_over:ratio${window}${labelled}`;
  const allowed = statistic.kind === "max" ? "none may" : `${percentText(1 - shareOf(statistic))} may`;
  return {
    alert: "BlackoutBudgetExceeded",
    expr: `${ratio} and (${breach(statistic, decideBy, over, updates)})`,
    labels: { severity: "critical", kind: metric.kind, check: text },
    annotations: {
      summary: literal(`Live updates exceed their budget: ${text}`),
      description: `${COHORT_TEXT}: {{ $value | humanizePercentage }} of the updates within ${window} took longer than ${formatDuration(atMostNs)}, ${allowed}.${why === "" ? "" : ` ${literal(why)}`}`,
    },
  };
}

const COHORT_TEXT =
  "Probe level {{ $labels.probe_level }}, workload {{ $labels.workload }}, blackout by {{ $labels.basis }}";

/** 1 % of p99: without the digits of a binary fraction. */
const percentText = (share: number): string => `${Number((100 * share).toPrecision(6))} %`;

/**
 * The condition for a breach. `bounds`: the score test rejects, at 95 % and with the continuity correction, that the
 * percentile is within the limit; this is what PromQL can compute of the gate's exact binomial bound. `sample`: the
 * sample's own percentile (type 7) is over the limit, apart from interpolation.
 */
function breach(statistic: Statistic, decideBy: Budget["decideBy"], over: string, updates: string): string {
  if (statistic.kind === "max") return `${over} > 0`;
  const q = Number((1 - shareOf(statistic)).toPrecision(12));
  if (decideBy === "sample") return `${over} > ${q} * (${updates} - 1)`;
  const deviation = `sqrt(${Number((q * (1 - q)).toPrecision(12))} * ${updates})`;
  return `${over} - 0.5 - ${q} * ${updates} > ${NORMAL_QUANTILE} * ${deviation}`;
}

function outcomeAlerts({ failedAtMost }: Budget, window: string): readonly AlertingRule[] {
  if (failedAtMost === null) return [];
  return [
    {
      alert: "BlackoutUpdatesNotCompleted",
      expr: `round(sum without (outcome) (cohort:blackout_updates:increase${window}{outcome!="completed"})) > ${failedAtMost.count}`,
      labels: { severity: "critical", kind: "outcomes", check: `not completed <= ${failedAtMost.count}` },
      annotations: {
        summary: "Live updates did not complete",
        description: `Probe level {{ $labels.probe_level }}, workload {{ $labels.workload }}: {{ $value }} updates within ${window} did not complete, ${failedAtMost.count} may.`,
      },
    },
  ];
}

/** A limit on complaints or on an outcome. What a budget allows by pattern is counted, too: metrics have no lines. */
function countAlert({ of, atMost, text, why }: CountLimit, window: string): AlertingRule {
  const shown = (what: string): Labels => ({
    summary: literal(`Live updates exceed their budget: ${text}`),
    description: `Probe level {{ $labels.probe_level }}, workload {{ $labels.workload }}: {{ $value }} ${what} within ${window}, ${atMost} may.${why === "" ? "" : ` ${literal(why)}`}`,
  });
  const labels = { severity: "critical", kind: of.kind, check: text };
  if (of.kind === "outcomes") {
    return {
      alert: "BlackoutOutcomeExceeded",
      expr: `round(sum without (outcome) (cohort:blackout_updates:increase${window}{outcome=${promqlString(of.name)}})) > ${atMost}`,
      labels,
      annotations: shown(`updates: ${of.name}`),
    };
  }
  const by = HEALTH_SEVERITIES.some((severity) => severity === of.name) ? "severity" : "class";
  const matcher = of.name === "any" ? "" : `{${by}=${promqlString(of.name)}}`;
  return {
    alert: "BlackoutHealthExceeded",
    expr: `round(sum by (probe_level, workload) (cohort:blackout_complaints:increase${window}${matcher})) > ${atMost}`,
    labels,
    annotations: shown(of.name === "any" ? "complaints" : `complaints of ${by} ${of.name}`),
  };
}

function updateAlerts({ updatesAtLeast }: Budget, window: string): readonly AlertingRule[] {
  if (updatesAtLeast === null) return [];
  return [
    {
      alert: "BlackoutTooFewUpdates",
      expr: `round(sum without (le) (cohort:${UPDATE_METRICS.duration.name}_bucket:increase${window}{le="+Inf"})) < ${updatesAtLeast.count}`,
      for: "1h",
      labels: { severity: "info", kind: "updates", check: `updates >= ${updatesAtLeast.count}` },
      annotations: {
        summary: "Too few live updates to decide the budget",
        description: `${COHORT_TEXT}: {{ $value | printf "%.0f" }} updates were measured within ${window}, ${updatesAtLeast.count} are needed.`,
      },
    },
  ];
}

/** The comparison with a baseline is the gate's: `blackout watch --baseline` makes it, and exports the result. */
function regressionAlerts({ regression }: Budget): readonly AlertingRule[] {
  if (regression === null) return [];
  const by = [...COHORT_LABELS, "check"].join(", ");
  return [
    {
      alert: "BlackoutRegression",
      expr: `max by (${by}) (${CHECK_METRICS.status.name}{check=~"no regression: .+",status="failed"}) == 1`,
      labels: { severity: "critical", kind: "regression" },
      annotations: {
        summary: "Live updates take longer than the baseline",
        description: `${COHORT_TEXT}: {{ $labels.check }} failed. The verdict and its interval are on the watch's page.`,
      },
    },
  ];
}

function watchAlerts(): readonly AlertingRule[] {
  const { captures, killed, scanned, waiting, webhooks } = WATCH_METRICS;
  const warning = { severity: "warning", kind: "watch" };
  return [
    {
      alert: "BlackoutWatchGone",
      expr: `absent(${scanned.name})`,
      for: "10m",
      labels: { severity: "critical", kind: "watch" },
      annotations: {
        summary: "No blackout watch is scraped",
        description: "New live updates are not looked at. Is the service up, and the scraper's token right?",
      },
    },
    {
      alert: "BlackoutWatchStuck",
      expr: `time() - ${scanned.name} > 600`,
      labels: { severity: "critical", kind: "watch" },
      annotations: {
        summary: "blackout watch does not look at its folder",
        description: "It last looked {{ $value | humanizeDuration }} ago. Restart it: nothing is lost.",
      },
    },
    {
      alert: "BlackoutCapturesRefused",
      expr: `increase(${captures.name}_total{result="refused"}[1h]) > 0`,
      labels: warning,
      annotations: {
        summary: "Captures could not be used",
        description:
          '{{ $value | printf "%.0f" }} within 1h. The service\'s log and its captures.json say which and why.',
      },
    },
    {
      alert: "BlackoutWorkersKilled",
      expr: `increase(${killed.name}_total[1h]) > 0`,
      labels: warning,
      annotations: {
        summary: "A capture exceeded its limits",
        description: "A worker was killed for {{ $labels.reason }}. The service's log says at which capture.",
      },
    },
    {
      alert: "BlackoutCapturesStuck",
      expr: `${waiting.name}{state="queued"} > 0 unless on (job, instance) sum by (job, instance) (increase(${captures.name}_total[30m])) > 0`,
      for: "30m",
      labels: warning,
      annotations: {
        summary: "Captures wait and none is taken in",
        description:
          "{{ $value }} captures wait. Is the disk of the archive full, or are the limits too large for the machine?",
      },
    },
    {
      alert: "BlackoutWebhookFailing",
      expr: `increase(${webhooks.name}_total{result="failed"}[1h]) > 0`,
      labels: warning,
      annotations: {
        summary: "Alerts do not reach the webhook",
        description: "They are kept and sent again. Is the receiver up, and the URL right?",
      },
    },
  ];
}
