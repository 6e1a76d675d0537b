/** The webhook bodies of a gate and of an alert. Pure: src/cli/web/webhook.ts sends them. */
import { escapeInvisible } from "../../base/text/controls.js";
import type { Check } from "../../model/documents/cohort.js";
import type { GateDocument } from "../../model/documents/gate.js";

export const WEBHOOK_BODIES = ["slack", "alertmanager", "alertmanager-api"] as const;
export type WebhookBody = (typeof WEBHOOK_BODIES)[number];

/**
 * `slack`: an incoming webhook's message. `alertmanager`: what Alertmanager sends to a webhook receiver (version 4).
 * `alertmanager-api`: alerts for Alertmanager itself (POST /api/v2/alerts).
 */
export function webhookBody(gate: GateDocument, body: WebhookBody, nowMs: number): unknown {
  switch (body) {
    case "slack":
      return slackMessage(gate);
    case "alertmanager":
      return receiverMessage(alertsOf(gate, nowMs), gate.cohort.name);
    case "alertmanager-api":
      return apiAlerts(alertsOf(gate, nowMs));
  }
}

/** An alert of `blackout watch`, with the times at which it was raised and resolved. */
export interface WatchedAlert {
  /** Of the cohort, by label. */
  readonly labels: Readonly<Record<string, string>>;
  readonly cohort: string;
  readonly check: string;
  readonly kind: Check["kind"];
  readonly message: string;
  readonly why: string;
  readonly raisedAtMs: number;
  readonly resolvedAtMs: number | null;
}

/** The webhook body when an alert is raised, and when it is resolved. */
export function alertBody(alert: WatchedAlert, body: WebhookBody): unknown {
  const { resolvedAtMs, raisedAtMs, check, kind, cohort, message, why } = alert;
  const resolved = resolvedAtMs !== null;
  const title = `Blackout budget ${resolved ? "kept again" : "exceeded"}: ${check} (${cohort})`;
  const alerts: readonly Alert[] = [
    {
      status: resolved ? "resolved" : "firing",
      // Labels identify an alert: they are the same when it is resolved.
      labels: { alertname: "BlackoutBudget", ...alert.labels, check, kind, severity: "critical" },
      annotations: { summary: title, description: [message, why].filter((text) => text !== "").join("\n") },
      startsAt: new Date(raisedAtMs).toISOString(),
      endsAt: resolvedAtMs === null ? NEVER : new Date(resolvedAtMs).toISOString(),
    },
  ];
  switch (body) {
    case "slack":
      return slackBlocks(
        `${resolved ? ":white_check_mark:" : ":x:"} ${slackText(title)}`,
        [message, why].map(slackText),
      );
    case "alertmanager":
      return receiverMessage(alerts, cohort);
    case "alertmanager-api":
      return apiAlerts(alerts);
  }
}

function apiAlerts(alerts: readonly Alert[]): unknown {
  return alerts.map(({ labels, annotations, startsAt, endsAt, status }) =>
    status === "resolved" ? { labels, annotations, startsAt, endsAt } : { labels, annotations, startsAt },
  );
}

/** Checks that an operator must look at: failed ones, and undecided ones if data are required. */
function raised(gate: GateDocument): readonly Check[] {
  return gate.checks.filter(
    ({ status }) => status === "failed" || (gate.requireData && (status === "undecided" || status === "skipped")),
  );
}

function headline(gate: GateDocument): string {
  const against = gate.baseline === null ? "" : ` against ${gate.baseline.name}`;
  const forced = gate.forced ? " (forced: unlike cohorts)" : "";
  return `Blackout gate ${gate.verdict}: ${gate.cohort.name}${against}${forced}`;
}

/** Slack interprets `&`, `<` and `>`; no text of a capture may mention a channel or forge a link. */
function slackText(text: string): string {
  return escapeInvisible(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

/** Of one text in a block, Slack's limit is 3,000 characters. */
const SLACK_TEXT = 2_900;

function slackMessage(gate: GateDocument): unknown {
  const emoji = { passed: ":white_check_mark:", failed: ":x:", insufficient: ":warning:" }[gate.verdict];
  const title = `${emoji} ${slackText(headline(gate))}`;
  const lines = raised(gate).map(({ name, message }) => `• *${slackText(name)}*: ${slackText(message)}`);
  const warnings = gate.warnings.map(({ message }) => `:warning: ${slackText(message)}`);
  return slackBlocks(title, [...lines, ...warnings]);
}

function slackBlocks(title: string, lines: readonly string[]): unknown {
  const text = lines
    .filter((line) => line !== "")
    .join("\n")
    .slice(0, SLACK_TEXT);
  const section = (content: string) => ({ type: "section", text: { type: "mrkdwn", text: content } });
  return { text: title, blocks: [section(title), ...(text === "" ? [] : [section(text)])] };
}

interface Alert {
  readonly status: "firing" | "resolved";
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly startsAt: string;
  readonly endsAt: string;
}

const NEVER = "0001-01-01T00:00:00Z";

/** One alert per raised check; if there is none, one that resolves the gate's. */
function alertsOf(gate: GateDocument, nowMs: number): readonly Alert[] {
  const now = new Date(nowMs).toISOString();
  const common = { alertname: "BlackoutGate", cohort: gate.cohort.name, budget: gate.budget };
  const baseline: Readonly<Record<string, string>> = gate.baseline === null ? {} : { baseline: gate.baseline.name };
  const checks = raised(gate);
  if (checks.length === 0) {
    return [
      {
        status: "resolved",
        labels: { ...common, ...baseline },
        annotations: { summary: headline(gate) },
        startsAt: now,
        endsAt: now,
      },
    ];
  }
  return checks.map(({ name, kind, status, message, why }) => ({
    status: "firing",
    labels: { ...common, ...baseline, check: name, kind, severity: status === "failed" ? "critical" : "warning" },
    annotations: {
      summary: `${headline(gate)}: ${name}`,
      description: [message, why].filter((t) => t !== "").join("\n"),
    },
    startsAt: now,
    endsAt: NEVER,
  }));
}

function receiverMessage(alerts: readonly Alert[], cohort: string): unknown {
  const status = alerts.some((alert) => alert.status === "firing") ? "firing" : "resolved";
  const alertname = alerts[0]?.labels.alertname ?? "";
  const labels = { alertname, cohort };
  return {
    version: "4",
    groupKey: `{}:{alertname=${JSON.stringify(alertname)}, cohort=${JSON.stringify(cohort)}}`,
    truncatedAlerts: 0,
    status,
    receiver: "blackout",
    groupLabels: labels,
    commonLabels: labels,
    commonAnnotations: {},
    externalURL: "",
    alerts: alerts.map((alert) => ({ ...alert, generatorURL: "", fingerprint: fingerprint(alert.labels) })),
  };
}

/** FNV-1a, 64 bit, of the labels in order: identifies an alert, like Alertmanager's fingerprint. */
function fingerprint(labels: Readonly<Record<string, string>>): string {
  let hash = 0xcbf29ce484222325n;
  const text = Object.keys(labels)
    .sort()
    .map((key) => `${key}\xff${labels[key]}\xff`)
    .join("");
  for (const byte of new TextEncoder().encode(text)) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  }
  return hash.toString(16).padStart(16, "0");
}
