import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import test, { type TestContext } from "node:test";
import { RETRIES, sendWebhook, webhookTarget } from "./webhook.js";

const QUICK = { attempts: 4, firstPauseMs: 5, timeoutMs: 20_000 };

interface Received {
  readonly body: string;
  readonly headers: IncomingMessage["headers"];
  readonly atMs: number;
}

/** A server on the loopback that answers the n-th request as `answer` says. */
async function server(t: TestContext, answer: (n: number, response: ServerResponse) => void) {
  const received: Received[] = [];
  const listening = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      received.push({ body: Buffer.concat(parts).toString(), headers: request.headers, atMs: performance.now() });
      answer(received.length, response);
    });
  });
  await new Promise<void>((resolve) => listening.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    listening.closeAllConnections();
    listening.close();
  });
  const { port } = listening.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/hook/secret-path`, received };
}

function target(url: string, env: Readonly<Record<string, string>> = {}) {
  const found = webhookTarget(url, env);
  assert.ok(found.ok, found.ok ? "" : found.error);
  return found.value;
}

test("the body arrives as JSON, with the token of the environment", async (t) => {
  const { url, received } = await server(t, (_, response) => response.end());
  const sent = await sendWebhook(target(url, { BLACKOUT_WEBHOOK_TOKEN: "s3cret" }), { text: "✓" }, QUICK);
  assert.deepEqual(sent, { ok: true, value: 1 });
  assert.equal(received[0]?.body, '{"text":"✓"}');
  assert.equal(received[0].headers["content-type"], "application/json");
  assert.equal(received[0].headers.authorization, "Bearer s3cret");
});

test("a server in trouble is tried again, later each time, and the body arrives once it can", async (t) => {
  const { url, received } = await server(t, (n, response) => {
    if (n === 1) response.destroy();
    else response.writeHead(n === 2 ? 503 : n === 3 ? 429 : 200).end();
  });
  assert.deepEqual(await sendWebhook(target(url), {}, { ...QUICK, firstPauseMs: 20 }), { ok: true, value: 4 });
  const gaps = received.slice(1).map(({ atMs }, i) => atMs - (received[i]?.atMs ?? 0));
  const keys = new Set(received.map(({ headers }) => headers["idempotency-key"]));
  assert.equal(keys.size, 1);
  assert.match(String([...keys][0]), /^"[0-9a-f-]{36}"$/);
  for (const [i, gap] of gaps.entries()) assert.ok(gap >= 20 * 2 ** i - 2, `pause ${i}: ${gap} ms`);
});

test("a refusal is not repeated, nor a redirect followed", async (t) => {
  const refusing = await server(t, (_, response) => response.writeHead(404).end());
  const refused = await sendWebhook(target(refusing.url), {}, QUICK);
  assert.match(refused.ok ? "" : refused.error, /refused the webhook: it answered 404/);
  assert.equal(refusing.received.length, 1);
  const elsewhere = await server(t, (_, response) => response.end());
  const moved = await server(t, (_, response) => response.writeHead(307, { location: elsewhere.url }).end());
  assert.equal((await sendWebhook(target(moved.url), {}, QUICK)).ok, false);
  assert.equal(elsewhere.received.length, 0);
});

test("a server that does not answer costs bounded time, and no secret is printed", async (t) => {
  const { url, received } = await server(t, () => {});
  const sent = await sendWebhook(target(url), {}, { attempts: 2, firstPauseMs: 1, timeoutMs: 50 });
  assert.match(
    sent.ok ? "" : sent.error,
    /^127\.0\.0\.1:\d+ did not take the webhook in 2 attempts: no answer in time$/,
  );
  assert.equal(received.length, 2);
});

test("the end of the service ends an attempt, and a pause", async (t) => {
  const hanging = await server(t, () => {});
  const failing = await server(t, (_, response) => response.writeHead(503, { "retry-after": "20" }).end());
  for (const { url } of [hanging, failing]) {
    const ended = new AbortController();
    setTimeout(() => ended.abort(), 100);
    const begin = performance.now();
    const sent = await sendWebhook(target(url), {}, RETRIES, "key", ended.signal);
    assert.ok(performance.now() - begin < 3_000);
    assert.match(sent.ok ? "" : sent.error, /did not take the webhook before the end/);
  }
  assert.equal(failing.received.length, 1);
});

test("targets: a URL, or one in the environment; never one with a password", () => {
  assert.equal(target("env:HOOK", { HOOK: "https://example.com/x" }).url.href, "https://example.com/x");
  const problem = (text: string) => {
    const found = webhookTarget(text, {});
    return found.ok ? "accepted" : found.error;
  };
  assert.match(problem("env:HOOK"), /environment variable HOOK is empty/);
  assert.match(problem("nonsense"), /is not a URL/);
  assert.match(problem("file:///etc/passwd"), /not an http or https URL/);
  const refused = problem("https://user:hunter2@example.com/");
  assert.match(refused, /give secrets in the environment/);
  assert.doesNotMatch(refused, /hunter2/);
});
