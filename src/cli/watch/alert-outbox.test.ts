import assert from "node:assert/strict";
import test from "node:test";
import { AlertOutbox } from "./alert-outbox.js";
import type { Alert, Evaluation } from "./intake/alerts.js";

const key = { probeLevel: "graph", workload: "idle", basis: "vm-marks" } as const;
const evaluation = (status: "failed" | "passed"): readonly Evaluation[] => [
  { key, checks: [{ name: "blackout p50", kind: "limit", status, message: "m", why: "w" }] },
];

function outboxOf(answers: boolean[], isThere = true) {
  const log: string[] = [];
  const clock = { nowMs: 1_000 };
  const outbox = new AlertOutbox([], {
    notify: isThere
      ? async ({ resolvedAtMs }: Alert) => {
          log.push(resolvedAtMs === null ? "send raised" : "send resolved");
          return answers.shift() ?? true;
        }
      : null,
    save: (alerts) => log.push(`save ${alerts.map((each) => each.told).join(",")}`),
    report: ({ event }) => log.push(event),
    trouble: (what) => log.push(what === null ? "well" : "trouble"),
    nowMs: () => clock.nowMs,
    retryMs: { first: 100, longest: 300 },
  });
  return { outbox, log, clock };
}

test("an alert is on disk before it is sent, and sent once", async () => {
  const { outbox, log } = outboxOf([]);
  outbox.update(evaluation("failed"));
  await outbox.deliver();
  await outbox.deliver();
  assert.deepEqual(log, ["save nothing", "raised", "save maybe", "send raised", "save raised", "well"]);
  assert.deepEqual(outbox.counters, { sent: 1, failed: 0 });
});

test("after a failure the pause doubles up to its longest; a delivery resets it", async () => {
  const { outbox, log, clock } = outboxOf([false, false, false, false, true]);
  outbox.update(evaluation("failed"));
  const sendings: number[] = [];
  for (; clock.nowMs < 2_500; clock.nowMs += 50) {
    const before = log.filter((line) => line === "send raised").length;
    await outbox.deliver();
    if (log.filter((line) => line === "send raised").length > before) sendings.push(clock.nowMs);
  }
  assert.deepEqual(sendings, [1_000, 1_100, 1_300, 1_600, 1_900]);
  assert.deepEqual(outbox.counters, { sent: 1, failed: 4 });
});

test("an alert that resolves while it is being sent is sent as resolved next", async () => {
  const { outbox, log } = outboxOf([]);
  outbox.update(evaluation("failed"));
  const sending = outbox.deliver();
  assert.equal(outbox.isSending, true);
  outbox.update(evaluation("passed"));
  await sending;
  assert.deepEqual(
    log.filter((line) => line.startsWith("send")),
    ["send raised", "send resolved"],
  );
  assert.deepEqual(outbox.alerts, []);
});

test("without a receiver alerts are raised, and nothing is sent", async () => {
  const { outbox, log } = outboxOf([], false);
  outbox.update(evaluation("failed"));
  await outbox.deliver();
  assert.equal(outbox.alerts.length, 1);
  assert.ok(!log.includes("send raised"));
  assert.deepEqual(outbox.counters, { sent: 0, failed: 0 });
});
