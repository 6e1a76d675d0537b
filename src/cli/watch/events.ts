/** The service's log events: a line of text or of JSON each. */

import { cohortName } from "../../analyze/fleet/fleet-cohort.js";
import { escapeControls } from "../../base/text/controls.js";
import { formatDuration } from "../../base/text/format.js";
import type { UpdateSample } from "../../model/update-sample.js";
import type { KillReason } from "../workers/worker-pool.js";
import type { Alert } from "./intake/alerts.js";

export type WatchEvent =
  | { readonly event: "started"; readonly folder: string; readonly archive: string; readonly updates: number }
  | { readonly event: "listening"; readonly url: string }
  | { readonly event: "taken" | "duplicate"; readonly path: string; readonly id: string; readonly sample: UpdateSample }
  | { readonly event: "refused"; readonly path: string; readonly reason: string; readonly killed: KillReason | null }
  | { readonly event: "late"; readonly path: string }
  | { readonly event: "raised" | "resolved"; readonly alert: Alert }
  | { readonly event: "compacted"; readonly merged: number; readonly made: number; readonly deleted: number }
  | { readonly event: "trouble"; readonly what: string }
  | { readonly event: "stopped" };

/** One line, without its end. */
export function watchEventText(event: WatchEvent): string {
  return escapeControls(plainText(event));
}

function plainText(event: WatchEvent): string {
  switch (event.event) {
    case "started":
      return `watching ${event.folder}; ${event.updates} updates in ${event.archive}`;
    case "listening":
      return `listening on ${event.url}`;
    case "taken":
      return `taken in: ${event.path}: ${outcomeText(event.sample)}`;
    case "duplicate":
      return `already in the archive: ${event.path}`;
    case "refused":
      return `refused: ${event.path}: ${event.reason}`;
    case "late":
      return `still changing: ${event.path} is not whole yet; it is waited for`;
    case "raised":
      return `ALERT ${alertText(event.alert)}`;
    case "resolved":
      return `resolved ${alertText(event.alert)}`;
    case "compacted":
      return `compacted the archive: ${event.merged} segments became ${event.made}; ${event.deleted} files deleted`;
    case "trouble":
      return `warning: ${event.what}`;
    case "stopped":
      return "stopped";
  }
}

function outcomeText({ outcome, outcomeReason, blackout }: UpdateSample): string {
  if (outcome !== "completed") return `${outcome}: ${outcomeReason}`;
  return blackout.durationNs === null ? "completed" : `completed, blackout ${formatDuration(blackout.durationNs)}`;
}

const alertText = ({ key, check, message }: Alert): string => `${check} (${cohortName(key)}): ${message}`;

/** One document. */
export function watchEventJson(event: WatchEvent, nowMs: number): string {
  const at = new Date(nowMs).toISOString();
  if (event.event !== "taken" && event.event !== "duplicate") return JSON.stringify({ at, ...event });
  const { sample, ...rest } = event;
  const { name, outcome, blackout, phases } = sample;
  return JSON.stringify({ at, ...rest, update: { name, outcome, blackout, phases } });
}
