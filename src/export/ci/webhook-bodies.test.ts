import assert from "node:assert/strict";
import test from "node:test";
import { alertBody, type WatchedAlert } from "./webhook-bodies.js";

const alert: WatchedAlert = {
  labels: { probe_level: "probes", workload: "idle", basis: "vm-marks" },
  cohort: "probes, idle, vm-marks",
  check: "blackout p50 <= 6s",
  kind: "limit",
  message: "The p50 <!channel> & more",
  why: "",
  raisedAtMs: 0,
  resolvedAtMs: null,
};

test("Alertmanager identifies an alert by its labels, raised and resolved", () => {
  const [raised] = alertBody(alert, "alertmanager-api") as readonly Record<string, unknown>[];
  const [resolved] = alertBody({ ...alert, resolvedAtMs: 1 }, "alertmanager-api") as readonly Record<string, unknown>[];
  assert.deepEqual(raised?.labels, resolved?.labels);
  assert.deepEqual([raised?.startsAt, raised?.endsAt], ["1970-01-01T00:00:00.000Z", undefined]);
  assert.deepEqual([resolved?.startsAt, resolved?.endsAt], ["1970-01-01T00:00:00.000Z", "1970-01-01T00:00:00.001Z"]);
});

test("a receiver's message states whether it fires, with the same fingerprint", () => {
  const bodies = [alert, { ...alert, resolvedAtMs: 1 }].map((each) => alertBody(each, "alertmanager")) as {
    readonly status: string;
    readonly alerts: readonly { readonly status: string; readonly fingerprint: string }[];
  }[];
  assert.deepEqual(
    bodies.map(({ status, alerts }) => [status, alerts[0]?.status]),
    [
      ["firing", "firing"],
      ["resolved", "resolved"],
    ],
  );
  assert.equal(bodies[0]?.alerts[0]?.fingerprint, bodies[1]?.alerts[0]?.fingerprint);
});

test("in Slack no text of a capture mentions a channel", () => {
  const text = JSON.stringify(alertBody(alert, "slack"));
  assert.match(text, /budget exceeded: blackout p50 &lt;= 6s/);
  assert.doesNotMatch(text, /<!channel>/);
  assert.match(JSON.stringify(alertBody({ ...alert, resolvedAtMs: 1 }, "slack")), /white_check_mark.*kept again/);
});
