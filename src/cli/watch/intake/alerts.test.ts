import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import type { CheckStatus } from "../../../model/documents/cohort.js";
import { type Alert, deliveryKeyOf, evaluateAlerts, isFiring, markSending, markSent, unsent } from "./alerts.js";

const key = { probeLevel: "probes", workload: "idle", basis: "vm-marks" };
const check = (name: string, status: CheckStatus) => ({
  name,
  kind: "limit" as const,
  status,
  message: status,
  why: "",
});
const evaluation = (status: CheckStatus) => [{ key, checks: [check("p50", status)] }];

test("raised by failed, kept by undecided, resolved by passed", () => {
  let alerts: readonly Alert[] = [];
  const states: (readonly [number, string | undefined])[] = [];
  for (const [at, status] of (["passed", "failed", "failed", "undecided", "skipped", "passed"] as const).entries()) {
    alerts = evaluateAlerts(alerts, evaluation(status), at);
    states.push([alerts.filter(isFiring).length, alerts[0]?.message]);
    for (const alert of unsent(alerts)) alerts = markSent(markSending(alerts, alert), alert);
  }
  assert.deepEqual(
    states.map(([count]) => count),
    [0, 1, 1, 1, 1, 0],
  );
  assert.deepEqual(alerts, []);
});

test("a cohort that left the window resolves, and so does a check that left the budget", () => {
  const raised = evaluateAlerts([], evaluation("failed"), 1).map((alert) => ({ ...alert, told: "raised" as const }));
  for (const now of [[], [{ key, checks: [check("p99", "passed")] }]]) {
    const [alert] = evaluateAlerts(raised, now, 2);
    assert.equal(alert?.resolvedAtMs, 2);
    assert.match(alert?.message ?? "", /no updates in the window/);
  }
});

test("an alert that resolves before its notification was delivered is dropped", () => {
  const raised = evaluateAlerts([], evaluation("failed"), 1);
  assert.deepEqual(evaluateAlerts(raised, evaluation("passed"), 2), []);
});

/** What may happen, in any order: an evaluation, a message that arrives, one that is lost, a crash at any time. */
const step = fc.oneof(
  fc.record({ do: fc.constant("evaluate" as const), status: fc.constantFrom("passed", "failed", "undecided") }),
  fc.record({ do: fc.constantFrom("deliver", "lose", "crash", "crash while sending") }),
);

test("over any crashes the receiver hears of each alert: raised before resolved, and finally its true state", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      let alerts: readonly Alert[] = [];
      let onDisk = JSON.stringify(alerts);
      const heard: { readonly what: "raised" | "resolved"; readonly alert: string; readonly crashed: boolean }[] = [];
      let crashed = false;
      const save = (now: readonly Alert[]): void => {
        alerts = now;
        onDisk = JSON.stringify(now);
      };
      const deliver = (isKnown: boolean): void => {
        const [next] = unsent(alerts);
        if (next === undefined) return;
        save(markSending(alerts, next));
        const what = isFiring(next) ? "raised" : "resolved";
        heard.push({ what, alert: `${next.id} ${next.raisedAtMs}`, crashed });
        if (isKnown) save(markSent(alerts, next));
        crashed = !isKnown;
      };
      for (const [at, each] of steps.entries()) {
        if (each.do === "evaluate") save(evaluateAlerts(alerts, evaluation(each.status as CheckStatus), at));
        if (each.do === "deliver") deliver(true);
        if (each.do === "lose" && unsent(alerts)[0] !== undefined) save(markSending(alerts, unsent(alerts)[0]!));
        if (each.do === "crash while sending") deliver(false);
        if (each.do.startsWith("crash")) alerts = JSON.parse(onDisk);
      }
      for (let i = 0; i < 5; i += 1) deliver(true);
      assert.deepEqual(unsent(alerts), []);
      // At the end the receiver believes what is: an alert is raised where one fires.
      const believed = new Map<string, string>();
      for (const { what, alert, crashed: again } of heard) {
        if (believed.get(alert) === what) assert.ok(again, "sent twice only if its arrival was not certain");
        believed.set(alert, what);
      }
      const raised = [...believed].filter(([, what]) => what === "raised").map(([alert]) => alert);
      assert.deepEqual(
        raised.sort(),
        alerts
          .filter(isFiring)
          .map(({ id, raisedAtMs }) => `${id} ${raisedAtMs}`)
          .sort(),
      );
    }),
    { numRuns: 1_000 },
  );
});

test("an alert's delivery has one key while it is raised, and another once it is resolved or raised again", () => {
  const [first] = evaluateAlerts([], evaluation("failed"), 1);
  assert.ok(first !== undefined);
  const told = { ...first, told: "raised" as const };
  const [still] = evaluateAlerts([told], evaluation("failed"), 2);
  const [over] = evaluateAlerts([told], evaluation("passed"), 3);
  const [again] = evaluateAlerts([], evaluation("failed"), 4);
  const keys = [told, still, over, again].map((alert) => deliveryKeyOf(alert ?? assert.fail("no alert")));
  assert.equal(keys[0], keys[1]);
  assert.equal(new Set(keys).size, 3);
});
