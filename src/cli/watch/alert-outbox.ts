/**
 * The alerts of a service and their way to the receiver: which are firing, what was delivered, when to try again. A
 * change is saved before it is sent, so that a crash repeats a notification rather than loses it.
 */
import type { WatchEvent } from "./events.js";
import {
  type Alert,
  type Evaluation,
  evaluateAlerts,
  isFiring,
  markSending,
  markSent,
  unsent,
} from "./intake/alerts.js";

export type SendCounters = Readonly<Record<"sent" | "failed", number>>;

export interface OutboxParts {
  /** Sends an alert to its receiver; false: it was not received. Null: no receiver, alerts are only raised. */
  readonly notify: ((alert: Alert) => Promise<boolean>) | null;
  readonly save: (alerts: readonly Alert[]) => void;
  readonly report: (event: WatchEvent) => void;
  /** What keeps alerts from their receiver now; null: nothing. */
  readonly trouble: (what: string | null) => void;
  readonly nowMs: () => number;
  /** Pause after the first failure; it doubles with each further one. */
  readonly retryMs: { readonly first: number; readonly longest: number };
}

export class AlertOutbox {
  readonly #parts: OutboxParts;
  readonly #counters = { sent: 0, failed: 0 };
  #alerts: readonly Alert[];
  #isSending = false;
  #retry: { readonly atMs: number; readonly pauseMs: number };

  constructor(alerts: readonly Alert[], parts: OutboxParts) {
    this.#alerts = alerts;
    this.#parts = parts;
    this.#retry = { atMs: 0, pauseMs: parts.retryMs.first };
  }

  get alerts(): readonly Alert[] {
    return this.#alerts;
  }

  get counters(): SendCounters {
    return this.#counters;
  }

  get isSending(): boolean {
    return this.#isSending;
  }

  /** Raises and resolves alerts by the gates' checks as they are now. */
  update(evaluations: readonly Evaluation[]): void {
    const { nowMs, report } = this.#parts;
    const before = this.#alerts;
    const after = evaluateAlerts(before, evaluations, nowMs());
    if (JSON.stringify(before) === JSON.stringify(after)) return;
    this.#set(after);
    const wasRaised = firingIds(before);
    const isRaised = firingIds(after);
    for (const alert of after.filter(isFiring)) if (!wasRaised.has(alert.id)) report({ event: "raised", alert });
    for (const alert of before.filter(isFiring)) {
      const now = after.find(({ id, raisedAtMs }) => id === alert.id && raisedAtMs === alert.raisedAtMs) ?? alert;
      if (!isRaised.has(alert.id)) report({ event: "resolved", alert: now });
    }
  }

  /** Sends what the receiver has not received yet, one at a time; ends early after a failure, until it may retry. */
  async deliver(): Promise<void> {
    const { notify, nowMs, report, trouble, retryMs } = this.#parts;
    if (this.#isSending || nowMs() < this.#retry.atMs) return;
    this.#isSending = true;
    try {
      for (let next = unsent(this.#alerts)[0]; next !== undefined; next = unsent(this.#alerts)[0]) {
        const sending = markSending(this.#alerts, next);
        if (notify === null) this.#alerts = sending;
        else this.#set(sending);
        const isReceived = notify === null || (await notify(next));
        if (notify !== null) this.#counters[isReceived ? "sent" : "failed"] += 1;
        if (!isReceived) {
          trouble("an alert was not received; it is sent again");
          const { pauseMs } = this.#retry;
          this.#retry = { atMs: nowMs() + pauseMs, pauseMs: Math.min(2 * pauseMs, retryMs.longest) };
          return;
        }
        this.#set(markSent(this.#alerts, next));
        this.#retry = { atMs: 0, pauseMs: retryMs.first };
        trouble(null);
      }
    } catch (error) {
      report({ event: "trouble", what: `an alert could not be sent: ${(error as Error).message}` });
    } finally {
      this.#isSending = false;
    }
  }

  #set(alerts: readonly Alert[]): void {
    this.#alerts = alerts;
    this.#parts.save(alerts);
  }
}

const firingIds = (alerts: readonly Alert[]): ReadonlySet<string> =>
  new Set(alerts.filter(isFiring).map(({ id }) => id));
