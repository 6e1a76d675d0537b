/** Sends a JSON body to a webhook: with a time limit, and again with growing pauses if that may help. */
import { randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { err, ok, type Result } from "../../base/result.js";

export interface WebhookTarget {
  readonly url: URL;
  /** Sent as a bearer token; never printed. */
  readonly token: string | null;
}

export interface Retries {
  readonly attempts: number;
  /** Before the second attempt; doubled each time. */
  readonly firstPauseMs: number;
  readonly timeoutMs: number;
}

export const RETRIES: Retries = { attempts: 5, firstPauseMs: 500, timeoutMs: 10_000 };

/** A server may ask for a longer pause; a CI job must not wait for it forever. */
const LONGEST_PAUSE_MS = 30_000;

/**
 * The target of `--webhook`: a URL, or `env:NAME` if the URL itself is a secret (Slack's are). The token is
 * BLACKOUT_WEBHOOK_TOKEN's. The error is a sentence that repeats no secret.
 */
export function webhookTarget(
  text: string,
  env: Readonly<Record<string, string | undefined>>,
): Result<WebhookTarget, string> {
  const variable = /^env:([A-Za-z_][A-Za-z0-9_]*)$/.exec(text)?.[1];
  const given = variable === undefined ? text : (env[variable] ?? "");
  const what = variable === undefined ? "--webhook" : `the environment variable ${variable}`;
  if (given === "") return err(`${what} is empty, expected an http or https URL`);
  let url: URL;
  try {
    url = new URL(given);
  } catch {
    return err(`${what} is not a URL, expected one like https://hooks.example.com/… or env:NAME`);
  }
  if (url.protocol !== "http:" && url.protocol !== "https:") return err(`${what} is not an http or https URL`);
  if (url.username !== "" || url.password !== "") {
    return err(`${what} holds a user or password: give secrets in the environment (env:NAME, BLACKOUT_WEBHOOK_TOKEN)`);
  }
  return ok({ url, token: env.BLACKOUT_WEBHOOK_TOKEN ?? null });
}

/**
 * Resolves to how many attempts it took, or to why it was not delivered; never to anything of the URL but its host. A
 * receiver may get it more than once: `deliveryKey` is the same each time (Idempotency-Key, draft-ietf-httpapi-
 * idempotency-key-header). Once `ended` is aborted, the attempt or the pause ends, and it is not delivered.
 */
export async function sendWebhook(
  { url, token }: WebhookTarget,
  body: unknown,
  retries: Retries = RETRIES,
  deliveryKey: string = randomUUID(),
  ended: AbortSignal = new AbortController().signal,
): Promise<Result<number, string>> {
  const headers: Record<string, string> = {
    "content-type": "application/json",
    "user-agent": "blackout",
    // A string of structured fields (RFC 9651): in quotes.
    "idempotency-key": `"${deliveryKey}"`,
  };
  if (token !== null) headers.authorization = `Bearer ${token}`;
  let problem = "";
  let pauseMs = retries.firstPauseMs;
  for (let attempt = 1; attempt <= retries.attempts; attempt += 1) {
    let askedMs = 0;
    try {
      const response = await fetch(url, {
        method: "POST",
        headers,
        body: JSON.stringify(body),
        // A redirect would carry body and token to an address that the user did not give.
        redirect: "manual",
        signal: AbortSignal.any([AbortSignal.timeout(retries.timeoutMs), ended]),
      });
      await response.body?.cancel();
      if (response.ok) return ok(attempt);
      problem = `it answered ${response.status}`;
      if (response.status !== 429 && response.status !== 408 && response.status < 500) {
        return err(`${url.host} refused the webhook: ${problem}`);
      }
      askedMs = retryAfterMs(response.headers.get("retry-after"));
    } catch (error) {
      problem = reasonOf(error);
    }
    if (ended.aborted) return err(`${url.host} did not take the webhook before the end: ${problem}`);
    if (attempt === retries.attempts) break;
    // An abort ends the pause; the next look at the signal ends the rest.
    await pause(Math.min(LONGEST_PAUSE_MS, Math.max(pauseMs, askedMs)), null, { signal: ended }).catch(() => {});
    if (ended.aborted) return err(`${url.host} did not take the webhook before the end: ${problem}`);
    pauseMs *= 2;
  }
  return err(`${url.host} did not take the webhook in ${retries.attempts} attempts: ${problem}`);
}

/** Seconds only: of a date, the clocks of two machines would have to agree. */
function retryAfterMs(header: string | null): number {
  return header !== null && /^\d{1,5}$/.test(header) ? Number(header) * 1_000 : 0;
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return "it failed";
  if (error.name === "TimeoutError") return "no answer in time";
  const cause = error.cause as { readonly code?: unknown } | undefined;
  return typeof cause?.code === "string" ? cause.code : "the connection failed";
}
