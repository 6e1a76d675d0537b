import assert from "node:assert/strict";
import { request } from "node:http";
import { connect } from "node:net";
import { after, test } from "node:test";
import { startLoopback } from "./loopback.js";

const started = await startLoopback((method, path) => {
  if (path === "trace" && method === "GET") return { type: "text/plain", body: "the trace" };
  return path === "done" && method === "POST" ? { type: "text/plain", body: "" } : null;
}, 0);
assert.ok(started.ok);
const server = started.value;
after(() => server.close());
const { port, pathname } = new URL(server.url);

function ask(
  path: string,
  headers: Readonly<Record<string, string>> = {},
  method = "GET",
): Promise<{ status: number; headers: Readonly<Record<string, unknown>>; body: string }> {
  return new Promise((resolve, reject) => {
    const call = request({ host: "127.0.0.1", port, path, method, headers }, (answer) => {
      let body = "";
      answer.setEncoding("utf8");
      answer.on("data", (part: string) => {
        body += part;
      });
      answer.on("end", () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body }));
    });
    call.on("error", reject);
    call.end();
  });
}

test("who has the address gets the answer, and no other site may read or embed it", async () => {
  const answer = await ask(`${pathname}trace`);
  assert.equal(answer.body, "the trace");
  assert.equal(answer.headers["access-control-allow-origin"], undefined);
  assert.equal(answer.headers["cross-origin-resource-policy"], "same-origin");
  assert.equal(answer.headers["x-content-type-options"], "nosniff");
  assert.equal(answer.headers["cache-control"], "no-store");
  // COOP would cut the tie to the window that takes the trace.
  assert.equal(answer.headers["cross-origin-opener-policy"], undefined);
});

test("without the token there is nothing, and the token cannot be guessed a letter at a time", async () => {
  const token = pathname.split("/")[1] as string;
  assert.ok(Buffer.from(token, "base64url").length >= 16);
  for (const path of ["/", "/trace", `/${token.slice(0, -1)}/trace`, `/${token}x/trace`, `//${token}/trace`]) {
    assert.equal((await ask(path)).status, 404, path);
  }
});

test("another name in Host is refused: a rebound name is not this server", async () => {
  for (const host of ["evil.example", `evil.example:${port}`, "127.0.0.1", "[::1]"]) {
    assert.equal((await ask(`${pathname}trace`, { host })).status, 403, host);
  }
  assert.equal((await ask(`${pathname}trace`, { host: `localhost:${port}` })).status, 200);
});

test("other origins are refused, with the token too; a post needs our own", async () => {
  const own = `http://127.0.0.1:${port}`;
  for (const origin of ["https://evil.example", "null", "https://ui.perfetto.dev", "http://127.0.0.1:1"]) {
    assert.equal((await ask(`${pathname}trace`, { origin })).status, 403, origin);
    assert.equal((await ask(`${pathname}done`, { origin }, "POST")).status, 403, origin);
  }
  assert.equal((await ask(`${pathname}trace`, { "sec-fetch-site": "cross-site" })).status, 403);
  assert.equal((await ask(`${pathname}done`, {}, "POST")).status, 403);
  assert.equal((await ask(`${pathname}done`, { origin: own }, "POST")).status, 200);
  assert.equal((await ask(`${pathname}trace`, { origin: own }, "OPTIONS")).status, 405);
});

test("a taken port is a sentence", async () => {
  const second = await startLoopback(() => null, Number(port));
  assert.ok(!second.ok);
  assert.match(second.error, new RegExp(`port ${port} of 127.0.0.1 is taken .*--port`));
});

test("for a service: a token that is given is taken in the path or borne, and what is open needs none", async () => {
  const token = "t".repeat(24);
  const service = await startLoopback((_, path, accept) => ({ type: "text/plain", body: `${path} ${accept}` }), 0, {
    token,
    names: ["fleet.example"],
    open: (path) => (path === "healthz" ? { type: "text/plain", body: "trouble", status: 503 } : null),
  });
  assert.ok(service.ok);
  try {
    const own = new URL(service.value.url).port;
    const status = async (path: string, headers: Record<string, string> = {}): Promise<number> =>
      (await fetch(`http://127.0.0.1:${own}${path}`, { headers })).status;
    assert.equal(await status(`/${token}/metrics`), 200);
    assert.equal(await status("/metrics"), 404);
    assert.equal(await status("/metrics", { authorization: `Bearer ${token}` }), 200);
    assert.equal(await status("/metrics", { authorization: `bearer ${token}` }), 200);
    for (const authorization of [token, `Bearer ${token}x`, `Basic ${token}`, "Bearer "]) {
      assert.equal(await status("/metrics", { authorization }), 404, authorization);
    }
    const answer = await fetch(`http://127.0.0.1:${own}/metrics`, {
      headers: { authorization: `Bearer ${token}`, accept: "application/openmetrics-text" },
    });
    assert.equal(await answer.text(), "metrics application/openmetrics-text");
    assert.equal(await status("/healthz"), 503);
    assert.equal(await status("/healthz", { origin: "http://evil.example" }), 403);
    assert.equal(await status("/healthz/more"), 404);
    const named = (host: string) =>
      new Promise<number | undefined>((done, failed) => {
        const call = request({ host: "127.0.0.1", port: own, path: `/${token}/`, headers: { host } }, (found) => {
          found.resume();
          done(found.statusCode);
        });
        call.on("error", failed).end();
      });
    assert.equal(await named(`fleet.example:${own}`), 200);
    assert.equal(await named(`other.example:${own}`), 403);
  } finally {
    await service.value.close();
  }
});

test("a random token is never borne: a page could not know it, and a scraper has none", async () => {
  const token = pathname.split("/")[1] as string;
  assert.equal((await ask("/trace", { authorization: `Bearer ${token}` })).status, 404);
});

test("connections that never ask are few, and end by themselves", async () => {
  const began = performance.now();
  const sockets = Array.from({ length: 100 }, () => connect(Number(port), "127.0.0.1"));
  const ended = sockets.map((socket) => new Promise((done) => socket.on("error", done).on("close", done).resume()));
  try {
    // 64 stay until their headers are overdue; the others are refused at once.
    await Promise.all(ended);
    assert.ok(performance.now() - began < 20_000, "Node.js alone would keep them for a minute");
    assert.equal((await ask(`${pathname}trace`)).status, 200);
  } finally {
    for (const socket of sockets) socket.destroy();
  }
});

const NAVIGATION = { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" };

test("an entrance lets one navigation in, once, and nothing else with it", async () => {
  const { pathname: entrance } = new URL(server.entrance());
  const refused: readonly (readonly [string, Readonly<Record<string, string>>, string])[] = [
    ["a frame", { ...NAVIGATION, "sec-fetch-dest": "iframe" }, "GET"],
    ["a script's request", { ...NAVIGATION, "sec-fetch-mode": "cors", "sec-fetch-dest": "empty" }, "GET"],
    ["an image", { ...NAVIGATION, "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image" }, "GET"],
    ["a form of another page", { ...NAVIGATION, origin: "https://evil.example" }, "POST"],
    ["a form of a file", { ...NAVIGATION, origin: "null" }, "POST"],
    ["another name in Host", { ...NAVIGATION, host: "evil.example" }, "GET"],
  ];
  for (const [what, headers, method] of refused) {
    assert.equal((await ask(entrance, headers, method)).status, 403, what);
  }
  for (const path of [`${entrance}trace`, entrance.slice(0, -1), "/", pathname, `${pathname}trace`]) {
    assert.equal((await ask(path, NAVIGATION)).status, 403, path);
  }
  const first = await ask(entrance, NAVIGATION);
  assert.equal(first.status, 200);
  assert.match(first.body, new RegExp(`url=${pathname}"`), "it leads to the address, from a page of ours");
  assert.equal(first.headers["referrer-policy"], "no-referrer");
  assert.equal((await ask(entrance, NAVIGATION)).status, 403);
  assert.equal((await ask(entrance)).status, 404, "also without the browser's headers");
  const [second, third] = [server.entrance(), server.entrance()].map((url) => new URL(url).pathname);
  assert.notEqual(second, third);
  assert.equal((await ask(third as string)).status, 200, "a browser that sends no such headers");
});
