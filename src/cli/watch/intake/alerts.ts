/**
 * Alerts: raised once when a check fails, resolved once when it passes again, over restarts. A state machine without
 * I/O: what is to be sent follows from the records alone, so keeping the records keeps the promise.
 */

import { createHash } from "node:crypto";
import { cohortId, type FleetCohort } from "../../../analyze/fleet/fleet-cohort.js";
import type { Check } from "../../../model/documents/cohort.js";

export interface Alert {
  /** Of the cohort and the check. */
  readonly id: string;
  readonly key: FleetCohort;
  readonly check: string;
  readonly kind: Check["kind"];
  readonly message: string;
  readonly why: string;
  readonly raisedAtMs: number;
  /** Null while it is raised. */
  readonly resolvedAtMs: number | null;
  /** What its receiver has heard: `maybe` if sending that it was raised began, and is not known to have ended. */
  readonly told: "nothing" | "maybe" | "raised";
}

/** What checks say of one cohort now. */
export interface Evaluation {
  readonly key: FleetCohort;
  readonly checks: readonly Pick<Check, "name" | "kind" | "status" | "message" | "why">[];
}

/** The same each time that an alert is sent as raised, and each time as resolved: 32 hexadecimal digits. */
export function deliveryKeyOf({ id, raisedAtMs, resolvedAtMs }: Alert): string {
  const what = JSON.stringify([id, raisedAtMs, resolvedAtMs === null ? "firing" : "resolved"]);
  return createHash("sha256").update(what).digest("hex").slice(0, 32);
}

const alertId = (key: FleetCohort, check: string): string => `${cohortId(key)} ${check}`;

/**
 * The alerts after an evaluation. Failed raises; passed resolves; undecided or not looked at leaves an alert as it is,
 * since nothing shows that the cause is gone. A cohort that has no update in the window any more, and a check that is
 * gone from the budget, resolve. A resolved alert whose receiver never heard of it is forgotten.
 */
export function evaluateAlerts(
  alerts: readonly Alert[],
  evaluations: readonly Evaluation[],
  nowMs: number,
): readonly Alert[] {
  const before = new Map(alerts.filter(({ resolvedAtMs }) => resolvedAtMs === null).map((alert) => [alert.id, alert]));
  const kept: Alert[] = alerts.filter(({ resolvedAtMs }) => resolvedAtMs !== null);
  for (const { key, checks } of evaluations) {
    for (const { name, kind, status, message, why } of checks) {
      const id = alertId(key, name);
      const known = before.get(id);
      before.delete(id);
      if (status === "failed") {
        kept.push(
          known === undefined
            ? { id, key, check: name, kind, message, why, raisedAtMs: nowMs, resolvedAtMs: null, told: "nothing" }
            : { ...known, message, why },
        );
      } else if (known !== undefined) {
        kept.push(status === "passed" ? { ...known, message, resolvedAtMs: nowMs } : known);
      }
    }
  }
  for (const gone of before.values()) {
    kept.push({ ...gone, message: "Its cohort has no updates in the window any more.", resolvedAtMs: nowMs });
  }
  return sorted(kept.filter(({ told, resolvedAtMs }) => told !== "nothing" || resolvedAtMs === null));
}

/** Alerts to be sent: raised ones the receiver may not have heard of, resolved ones it may believe raised. */
export function unsent(alerts: readonly Alert[]): readonly Alert[] {
  return alerts.filter(({ told, resolvedAtMs }) => (resolvedAtMs === null ? told !== "raised" : told !== "nothing"));
}

/** The alerts before `alert` is sent. If sending may not have ended, it is sent again: better twice than never. */
export function markSending(alerts: readonly Alert[], alert: Alert): readonly Alert[] {
  return alerts.map((each) => (isSame(each, alert) && each.told === "nothing" ? { ...each, told: "maybe" } : each));
}

/** The alerts once the receiver has heard of `alert`: a raised one is marked, a resolved one is over. */
export function markSent(alerts: readonly Alert[], alert: Alert): readonly Alert[] {
  return alerts.flatMap((each): readonly Alert[] => {
    if (!isSame(each, alert)) return [each];
    return alert.resolvedAtMs === null ? [{ ...each, told: "raised" }] : [];
  });
}

const isSame = (a: Alert, b: Alert): boolean => a.id === b.id && a.raisedAtMs === b.raisedAtMs;

export function isFiring({ resolvedAtMs }: Alert): boolean {
  return resolvedAtMs === null;
}

function sorted(alerts: readonly Alert[]): readonly Alert[] {
  return [...alerts].sort((a, b) => a.raisedAtMs - b.raisedAtMs || (a.id < b.id ? -1 : 1));
}
