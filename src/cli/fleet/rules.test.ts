import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import { parse } from "yaml";
import type { Budget } from "../../analyze/compare/budget.js";
import { lowerQuantileBound } from "../../analyze/statistics/order-statistics.js";
import { trustedSample } from "../../analyze/statistics/sample.js";
import { rulesText } from "../../export/prometheus/prometheus-rules.js";
import { missing, run } from "../../testing/oracles/debian-programs.js";
import { parseBudget } from "../input/budget-file.js";

const folder = mkdtempSync(join(tmpdir(), "blackout-rules-"));
after(() => rmSync(folder, { recursive: true }));
const noPromtool = missing("promtool", "prometheus");

const DAY = 86_400;
const STEP_MINUTES = 20;

function budgetOf(text: string): Budget {
  const budget = parseBudget(text, "budget.yaml");
  assert.ok(budget.ok, budget.ok ? "" : budget.error);
  return budget.value;
}

const everyKind = budgetOf(`version: 1
limits:
  - limit: blackout p50 <= 6s
    why: 'guests lose {{ .connections }}: "TCP"'
  - blackout p99.9 <= 250ms
  - blackout max <= 20s
  - vm-blackout p90 <= 5s
  - kexec p50 <= 400ms
  - device:e1000/shutdown p50 <= 400ms
regression: {fail-on: [blackout, phases, causes]}
outcomes: {failed: 1}
updates: {at-least: 5}
`);

const counted = budgetOf(`version: 1
limits:
  - outcomes partly-restored <= 0
  - health severe <= 1
  - health warning <= 0
  - health any <= 3
`);

function rulesFile(name: string, budget: Budget, watched = true): string {
  const path = join(folder, name);
  writeFileSync(path, rulesText({ budget, budgetFile: "budget.yaml", windowSeconds: 2 * DAY, watched }));
  return path;
}

test("promtool takes the rules of every kind of limit, without a complaint", { skip: noPromtool }, () => {
  for (const [name, watched] of [
    ["watched.yml", true],
    ["textfile.yml", false],
  ] as const) {
    for (const budget of [everyKind, counted]) {
      const { code, out } = run("promtool", ["check", "rules", rulesFile(name, budget, watched)]);
      assert.equal(code, 0, out);
      assert.doesNotMatch(out, /FAILED|duplicate|error/i);
    }
  }
});

test("of files alone no rule asks for what only the service has", () => {
  const text = rulesText({ budget: everyKind, budgetFile: "b", windowSeconds: DAY, watched: false });
  assert.doesNotMatch(text, /blackout_(?:check|captures|last_scan|webhooks)/);
});

test("a budget's name and words cannot end the comment or begin a template", () => {
  const text = rulesText({ budget: everyKind, budgetFile: "a\n- b", windowSeconds: DAY, watched: true });
  assert.doesNotMatch(text, /^- b/m);
  assert.ok(parse(text).groups.length === 2);
  assert.match(text, /guests lose \{\{\\?"\{\{\\?"\}\} \.connections \}\}/);
});

interface Series {
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** From minute 0, every STEP_MINUTES. */
  readonly values: string;
}

interface Firing {
  readonly alertname: string;
  readonly atHours: number;
  readonly labels: Readonly<Record<string, string>> | null;
  readonly annotations?: Readonly<Record<string, string>>;
}

const cohort = { probe_level: "probes", workload: "idle", basis: "vm-marks" };
const group = { probe_level: "probes", workload: "idle" };
const scraped = { job: "blackout", instance: "a" };

function seriesText({ name, labels = cohort, values }: Series): object {
  const all = { ...scraped, ...labels };
  const pairs = Object.entries(all).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
  return { series: `${name}{${pairs.join(",")}}`, values };
}

/** Runs promtool on the rules of a budget over a window of two days. */
function holds(name: string, budget: Budget, series: readonly Series[], expected: readonly Firing[]): void {
  const rules = rulesFile(`${name}.yml`, budget);
  const path = join(folder, `${name}.test.yml`);
  writeFileSync(
    path,
    JSON.stringify({
      rule_files: [rules],
      evaluation_interval: `${STEP_MINUTES}m`,
      tests: [
        {
          interval: `${STEP_MINUTES}m`,
          input_series: series.map(seriesText),
          alert_rule_test: expected.map(({ alertname, atHours, labels, annotations }) => ({
            eval_time: `${atHours}h`,
            alertname,
            exp_alerts: labels === null ? [] : [{ exp_labels: labels, exp_annotations: annotations ?? {} }],
          })),
        },
      ],
    }),
  );
  const { code, out } = run("promtool", ["test", "rules", path]);
  assert.equal(code, 0, `${name}: ${out}`);
}

/** A histogram that has counted `before` until hour `at`, all below the limit, and then more, `over` above it. */
function histogram(
  name: string,
  counts: { readonly before: number; readonly more: number; readonly over: number; readonly at: number },
  le: string,
  labels: Readonly<Record<string, string>> = {},
): readonly Series[] {
  const { before, more, over, at } = counts;
  const steps = (from: number, to: number) => `${from}x${3 * at - 1} ${to}x300`;
  return [
    { name: `${name}_bucket`, labels: { ...cohort, ...labels, le: "+Inf" }, values: steps(before, before + more) },
    { name: `${name}_bucket`, labels: { ...cohort, ...labels, le }, values: steps(before, before + more - over) },
  ];
}

const exceeded = (check: string, kind: string) => ({ severity: "critical", kind, check, ...cohort });
const inCohort = "Probe level probes, workload idle, blackout by vm-marks";

test("a percentile fires only if the bounds show a breach", { skip: noPromtool }, () => {
  const budget = budgetOf("version: 1\nlimits:\n  - {limit: blackout p50 <= 6s, why: connections drop}\n");
  const alertname = "BlackoutBudgetExceeded";
  const old = { name: "blackout_cohort_first_update_timestamp_seconds", values: "-1e9x400" };
  // 60 of 100 above the median's limit: P(Bin(100, 0.5) >= 60) = 0.028; of 58: 0.067.
  const sixty = histogram("blackout_duration_seconds", { before: 500, more: 100, over: 60, at: 60 }, "6.0");
  holds(
    "p50-firing",
    budget,
    [...sixty, old],
    [
      { alertname, atHours: 59, labels: null },
      {
        alertname,
        atHours: 61,
        labels: exceeded("blackout p50 <= 6s", "blackout"),
        annotations: {
          summary: "Live updates exceed their budget: blackout p50 <= 6s",
          description: `${inCohort}: 60% of the updates within 2d took longer than 6.000 s, 50 % may. connections drop`,
        },
      },
      // Two days later they have left the window.
      { alertname, atHours: 60 + 49, labels: null },
    ],
  );
  const fiftyEight = histogram("blackout_duration_seconds", { before: 500, more: 100, over: 58, at: 60 }, "6.0");
  holds("p50-quiet", budget, [...fiftyEight, old], [{ alertname, atHours: 61, labels: null }]);
});

test("by the sample, as the sample's own percentile is", { skip: noPromtool }, () => {
  const budget = budgetOf("version: 1\ndecide-by: sample\nlimits: [kexec p95 <= 400ms]\n");
  const alertname = "BlackoutBudgetExceeded";
  const phase = { phase: "kexec" };
  for (const [over, fires] of [
    [5, true],
    [4, false],
  ] as const) {
    const counts = { before: 10, more: 100, over, at: 60 };
    holds(`p95-${over}`, budget, histogram("blackout_phase_duration_seconds", counts, "0.4", phase), [
      {
        alertname,
        atHours: 61,
        labels: fires ? exceeded("kexec p95 <= 400ms", "phase") : null,
        annotations: {
          summary: "Live updates exceed their budget: kexec p95 <= 400ms",
          description: `${inCohort}: 5% of the updates within 2d took longer than 400.0 ms, 5 % may.`,
        },
      },
    ]);
  }
});

test("one update above a maximum fires", { skip: noPromtool }, () => {
  const budget = budgetOf("version: 1\nlimits: [device:e1000 max <= 5s]\n");
  const alertname = "BlackoutBudgetExceeded";
  const causes = { causes: "device:e1000" };
  for (const over of [1, 0]) {
    const counts = { before: 10, more: 100, over, at: 60 };
    holds(`max-${over}`, budget, histogram("blackout_causes_duration_seconds", counts, "5.0", causes), [
      {
        alertname,
        atHours: 61,
        labels: over === 1 ? exceeded("device:e1000 max <= 5s", "causes") : null,
        annotations: {
          summary: "Live updates exceed their budget: device:e1000 max <= 5s",
          description: `${inCohort}: 1% of the updates within 2d took longer than 5.000 s, none may.`,
        },
      },
    ]);
  }
});

test("a series that appears counts from its first update if that is within the window", { skip: noPromtool }, () => {
  const budget = budgetOf("version: 1\nlimits: [vm-blackout max <= 5s]\n");
  const alertname = "BlackoutBudgetExceeded";
  const appears = [
    { name: "blackout_slowest_vm_duration_seconds_bucket", labels: { ...cohort, le: "+Inf" }, values: "_x180 3x60" },
    { name: "blackout_slowest_vm_duration_seconds_bucket", labels: { ...cohort, le: "5.0" }, values: "_x180 2x60" },
  ];
  const first = (seconds: number) => ({
    name: "blackout_cohort_first_update_timestamp_seconds",
    values: `_x180 ${seconds}x60`,
  });
  holds(
    "new-series",
    budget,
    [...appears, first(59 * 3600)],
    [
      {
        alertname,
        atHours: 61,
        labels: exceeded("vm-blackout max <= 5s", "vm-blackout"),
        annotations: {
          summary: "Live updates exceed their budget: vm-blackout max <= 5s",
          description: `${inCohort}: 33.33% of the updates within 2d took longer than 5.000 s, none may.`,
        },
      },
    ],
  );
  // Updates that an archive holds before Prometheus first scrapes it do not fire.
  holds("old-archive", budget, [...appears, first(1)], [{ alertname, atHours: 61, labels: null }]);
});

test("updates that did not complete", { skip: noPromtool }, () => {
  const budget = budgetOf("version: 1\noutcomes: {failed: 1}\n");
  const alertname = "BlackoutUpdatesNotCompleted";
  const outcome = (name: string, to: number): Series => ({
    name: "blackout_updates_total",
    labels: { ...group, outcome: name },
    values: `5x179 ${5 + to}x60`,
  });
  for (const failed of [1, 0]) {
    holds(
      `outcomes-${failed}`,
      budget,
      [outcome("completed", 9), outcome("failed", failed), outcome("aborted", 1)],
      [
        { alertname, atHours: 59, labels: null },
        {
          alertname,
          atHours: 61,
          labels:
            failed === 1 ? { severity: "critical", kind: "outcomes", check: "not completed <= 1", ...group } : null,
          annotations: {
            summary: "Live updates did not complete",
            description: "Probe level probes, workload idle: 2 updates within 2d did not complete, 1 may.",
          },
        },
      ],
    );
  }
});

test("limits on an outcome and on complaints", { skip: noPromtool }, () => {
  const series = (name: string, labels: Readonly<Record<string, string>>, to: number): Series => ({
    name,
    labels: { ...group, ...labels },
    values: `5x179 ${5 + to}x60`,
  });
  for (const more of [1, 0]) {
    holds(
      `counts-${more}`,
      counted,
      [
        series("blackout_updates_total", { outcome: "completed" }, 9),
        series("blackout_updates_total", { outcome: "partly-restored" }, more),
        series("blackout_complaints_total", { class: "warning", severity: "severe" }, more),
        series("blackout_complaints_total", { class: "acpi-error", severity: "minor" }, 1),
      ],
      [
        { alertname: "BlackoutOutcomeExceeded", atHours: 59, labels: null },
        {
          alertname: "BlackoutOutcomeExceeded",
          atHours: 61,
          labels:
            more === 1
              ? { severity: "critical", kind: "outcomes", check: "outcomes partly-restored <= 0", ...group }
              : null,
          annotations: {
            summary: "Live updates exceed their budget: outcomes partly-restored <= 0",
            description: "Probe level probes, workload idle: 1 updates: partly-restored within 2d, 0 may.",
          },
        },
        {
          alertname: "BlackoutHealthExceeded",
          atHours: 61,
          labels: more === 1 ? { severity: "critical", kind: "health", check: "health warning <= 0", ...group } : null,
          annotations: {
            summary: "Live updates exceed their budget: health warning <= 0",
            description: "Probe level probes, workload idle: 1 complaints of class warning within 2d, 0 may.",
          },
        },
      ],
    );
  }
});

test("too few updates, after an hour of it", { skip: noPromtool }, () => {
  const budget = budgetOf("version: 1\nupdates: {at-least: 5}\n");
  const alertname = "BlackoutTooFewUpdates";
  for (const more of [4, 5]) {
    const counts = { before: 10, more, over: 0, at: 60 };
    holds(`updates-${more}`, budget, histogram("blackout_duration_seconds", counts, "5.0"), [
      {
        alertname,
        atHours: 62,
        labels: more === 4 ? { severity: "info", kind: "updates", check: "updates >= 5", ...cohort } : null,
        annotations: {
          summary: "Too few live updates to decide the budget",
          description: `${inCohort}: 4 updates were measured within 2d, 5 are needed.`,
        },
      },
    ]);
  }
});

test("a regression that the service found", { skip: noPromtool }, () => {
  const budget = budgetOf("version: 1\nregression: {}\n");
  const alertname = "BlackoutRegression";
  const status = (name: string, value: number): Series => ({
    name: "blackout_check_status",
    labels: { ...cohort, check: "no regression: blackout", status: name },
    values: `${value}x60`,
  });
  const description = `${inCohort}: no regression: blackout failed. The verdict and its interval are on the watch's page.`;
  holds(
    "regression",
    budget,
    [status("failed", 1), status("passed", 0)],
    [
      {
        alertname,
        atHours: 1,
        labels: { severity: "critical", kind: "regression", check: "no regression: blackout", ...cohort },
        annotations: { summary: "Live updates take longer than the baseline", description },
      },
    ],
  );
  holds("no-regression", budget, [status("failed", 0), status("passed", 1)], [{ alertname, atHours: 1, labels: null }]);
});

test("the service's own alerts", { skip: noPromtool }, () => {
  const budget = budgetOf("version: 1\nupdates: {at-least: 1}\n");
  const own = (name: string, values: string, labels = {}): Series => ({ name, labels, values });
  const warning = { severity: "warning", kind: "watch", ...scraped };
  const critical = { severity: "critical", kind: "watch" };
  const quiet = [
    own("blackout_last_scan_timestamp_seconds", "0+1200x60"),
    own("blackout_captures_total", "0+1x60", { result: "taken" }),
    own("blackout_captures_total", "0x60", { result: "refused" }),
    own("blackout_workers_killed_total", "0x60", { reason: "time" }),
    own("blackout_captures_waiting", "3x60", { state: "queued" }),
    own("blackout_webhooks_total", "0x60", { result: "failed" }),
  ];
  const names = ["Gone", "Stuck"].map((name) => `BlackoutWatch${name}`);
  const others = ["CapturesRefused", "WorkersKilled", "CapturesStuck", "WebhookFailing"].map(
    (name) => `Blackout${name}`,
  );
  holds(
    "watch-quiet",
    budget,
    quiet,
    [...names, ...others].map((alertname) => ({ alertname, atHours: 5, labels: null })),
  );
  holds(
    "watch-gone",
    budget,
    [],
    [
      {
        alertname: "BlackoutWatchGone",
        atHours: 1,
        labels: critical,
        annotations: {
          summary: "No blackout watch is scraped",
          description: "New live updates are not looked at. Is the service up, and the scraper's token right?",
        },
      },
    ],
  );
  holds(
    "watch-troubled",
    budget,
    [
      own("blackout_last_scan_timestamp_seconds", "0x60"),
      own("blackout_captures_total", "5x60", { result: "taken" }),
      own("blackout_captures_total", "0+1x6 6x60", { result: "refused" }),
      own("blackout_workers_killed_total", "0+1x6 6x60", { reason: "time" }),
      own("blackout_captures_waiting", "3x60", { state: "queued" }),
      own("blackout_webhooks_total", "0+1x6 6x60", { result: "failed" }),
    ],
    [
      {
        alertname: "BlackoutWatchStuck",
        atHours: 1,
        labels: { ...critical, ...scraped },
        annotations: {
          summary: "blackout watch does not look at its folder",
          description: "It last looked 1h 0m 0s ago. Restart it: nothing is lost.",
        },
      },
      {
        alertname: "BlackoutCapturesRefused",
        atHours: 1,
        labels: { ...warning, result: "refused" },
        annotations: {
          summary: "Captures could not be used",
          description: "3 within 1h. The service's log and its captures.json say which and why.",
        },
      },
      {
        alertname: "BlackoutWorkersKilled",
        atHours: 1,
        labels: { ...warning, reason: "time" },
        annotations: {
          summary: "A capture exceeded its limits",
          description: "A worker was killed for time. The service's log says at which capture.",
        },
      },
      {
        alertname: "BlackoutCapturesStuck",
        atHours: 5,
        labels: { ...warning, state: "queued" },
        annotations: {
          summary: "Captures wait and none is taken in",
          description: "3 captures wait. Is the disk of the archive full, or are the limits too large for the machine?",
        },
      },
      {
        alertname: "BlackoutWebhookFailing",
        atHours: 1,
        labels: { ...warning, result: "failed" },
        annotations: {
          summary: "Alerts do not reach the webhook",
          description: "They are kept and sent again. Is the receiver up, and the URL right?",
        },
      },
    ],
  );
});

/** As the rule computes it. */
const scoreBreach = (over: number, n: number, q: number): boolean =>
  over - 0.5 - q * n > 1.6449 * Math.sqrt(q * (1 - q) * n);

test("the score test that PromQL computes decides as the gate's exact bound, but for one update at most", () => {
  for (const q of [0.5, 0.1, 0.05, 0.01]) {
    for (const n of [5, 10, 30, 59, 100, 300, 1_000, 3_000]) {
      // The fewest updates over the limit that breach, by each.
      const from = (isBreach: (over: number) => boolean): number => {
        for (let over = 1; over <= n; over += 1) if (isBreach(over)) return over;
        return n + 1;
      };
      const exact = from((over) => {
        const sample = trustedSample(Float64Array.from({ length: n }, (_, i) => (i < n - over ? 1 : 3)));
        const bound = lowerQuantileBound(sample, 1 - q, 0.95);
        return bound.kind === "known" && bound.value > 2;
      });
      const score = from((over) => scoreBreach(over, n, q));
      assert.ok(
        Math.abs(exact - score) <= 1,
        `q ${q}, n ${n}: exactly from ${exact} on, by the score from ${score} on`,
      );
    }
  }
});
