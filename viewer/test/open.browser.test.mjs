/** `blackout open` against a page that speaks the Perfetto UI's side of the protocol, in a browser. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";
import { dist, launchOptions, root, skip } from "./browser.mjs";

/** Answers PONG once it listens, which is late, as in the real UI; keeps what it receives. */
const FAKE_UI = `<!doctype html><title>ui</title><script>
window.got = [];
const answers = !location.pathname.startsWith("/silent");
setTimeout(() => addEventListener("message", (event) => {
  if (event.data === "PING") { if (answers) event.source.postMessage("PONG", event.origin); return; }
  const { buffer, ...rest } = event.data.perfetto;
  window.got.push({ ...rest, origin: event.origin, bytes: [...new Uint8Array(buffer).subarray(0, 1)], size: buffer.byteLength,
    text: new TextDecoder("latin1").decode(buffer) });
}), 300);
</script>`;

const children = new Set();
let browser;
let ui;
let uiUrl;
before(async () => {
  if (skip) return;
  browser = await chromium.launch(launchOptions);
  ui = createServer((_, response) => response.setHeader("content-type", "text/html").end(FAKE_UI));
  ui.listen(0, "127.0.0.1");
  await once(ui, "listening");
  uiUrl = `http://127.0.0.1:${ui.address().port}`;
});
after(async () => {
  for (const child of children) child.kill();
  await browser?.close();
  ui?.close();
  ui?.closeAllConnections();
});

/** Starts `blackout open --print-url`; resolves with the page's address. */
const start = (...args) => run("open", "--print-url", ...args, join(root, "traces/plain.tar.gz"));

async function run(...args) {
  const child = spawn(process.execPath, [join(dist, "cli/main.js"), ...args]);
  children.add(child);
  let printed = "";
  child.stderr.on("data", (part) => {
    printed += part;
  });
  const ended = once(child, "exit").then(([code]) => ({ code, printed }));
  const [line] = await Promise.race([once(child.stdout, "data"), ended.then((end) => [JSON.stringify(end)])]);
  return { url: String(line).trim(), ended, stop: () => child.kill() };
}

async function pageAt(url) {
  const context = await browser.newContext();
  const page = await context.newPage();
  const complaints = [];
  page.on("console", (message) => complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(error.stack));
  await page.goto(url);
  await page.waitForSelector("#hand-over:not([disabled])");
  return { context, page, complaints };
}

test("the trace, its title and the startup commands reach the UI, and the command ends", { skip }, async () => {
  const { url, ended } = await start("--ui", uiUrl);
  const { context, page, complaints } = await pageAt(url);
  const [window] = await Promise.all([context.waitForEvent("page"), page.click("#hand-over")]);
  await window.waitForFunction(() => globalThis.got.length === 1);
  const [{ title, fileName, origin, bytes, size, text, keepApiOpen }] = await window.evaluate(() => globalThis.got);
  assert.equal(title, "plain");
  assert.equal(fileName, "plain.pftrace");
  assert.equal(origin, new URL(url).origin);
  assert.deepEqual(bytes, [0x0a], "packets of a Perfetto trace begin so");
  assert.ok(size > 100_000);
  assert.equal(keepApiOpen, true);
  const addresses = text.match(/(?:0x)?(?!f{13})ffff[0-9a-f]{12}/gi) ?? [];
  assert.deepEqual([...new Set(addresses)], [], "no address of the kernel leaves the host");
  assert.ok(!text.includes("trace_instance="), "nor does a command line");
  const hash = new URL(window.url()).hash.replace(/^#!\/\?/, "");
  assert.ok(window.url().length < 8000, "window openers cut longer addresses");
  const parameters = new Map(hash.split("&").map((part) => part.split("=").map(decodeURIComponent)));
  const begin = 1_000_000_000_000_000n;
  assert.ok(BigInt(parameters.get("visStart")) < begin && BigInt(parameters.get("visEnd")) > begin + 5_000_000_000n);
  const commands = JSON.parse(parameters.get("startupCommands"));
  const of = (id) => commands.filter((command) => command.id === `dev.perfetto.${id}`).map(({ args }) => args);
  assert.deepEqual(of("SwitchWorkspace"), [["Live update"]]);
  assert.ok(of("CopyTracksToWorkspaceByRegexWithAncestors").every(([, workspace]) => workspace === "Live update"));
  const notes = of("AddNoteAtTimestamp").map(([, text]) => text);
  assert.equal(notes.length, 2, "the freeze follows the pause at once, and a note of its own would hide both");
  assert.match(notes[0], /^VMs paused; freeze [\d.]+ us later$/);
  assert.equal(notes[1], "VMs resumed");
  assert.equal(of("AddNoteAtTimestamp")[0][0], String(begin));
  assert.match(of("RunQueryAndShowTab")[0][0], /t\.name = 'Where it went'/);
  const { code, printed } = await ended;
  assert.equal(code, 0);
  assert.match(printed, /has the trace/);
  assert.deepEqual(complaints, []);
  await context.close();
});

test("a closed window, a blocked window and a UI that never answers each give a message", {
  skip,
}, async () => {
  const { url, stop } = await start("--ui", `${uiUrl}/silent`);
  const { context, page } = await pageAt(url);
  const [window] = await Promise.all([context.waitForEvent("page"), page.click("#hand-over")]);
  await window.close();
  await page.waitForFunction(() =>
    /closed before it took the trace/.test(document.querySelector("#status").textContent),
  );
  await page.evaluate(() => {
    window.open = () => null;
  });
  await page.click("#hand-over");
  await page.waitForFunction(() => /allow pop-ups/.test(document.querySelector("#status").textContent));
  // The download is the fallback, and is the trace.
  const [download] = await Promise.all([page.waitForEvent("download"), page.click("a[download]")]);
  assert.equal(download.suggestedFilename(), "plain.pftrace");
  await context.close();
  const impatient = await browser.newContext();
  const again = await impatient.newPage();
  await again.addInitScript(() => {
    const { now } = performance;
    const base = now.call(performance);
    performance.now = () => base + (now.call(performance) - base) * 60;
  });
  await again.goto(url);
  await again.waitForSelector("#hand-over:not([disabled])");
  await again.click("#hand-over");
  await again.waitForFunction(() => /did not answer within 30 s/.test(document.querySelector("#status").textContent));
  await impatient.close();
  stop();
});

test("a port in use, and a page that nobody opens, end with a message and exit code 3", { skip }, async () => {
  const taken = new URL(uiUrl).port;
  const first = await start("--port", taken);
  const { code, printed } = await first.ended;
  assert.equal(code, 3);
  assert.match(printed, new RegExp(`port ${taken} of 127.0.0.1 is taken`));
  const second = await start("--patience", "200ms");
  const late = await second.ended;
  assert.equal(late.code, 3);
  assert.match(late.printed, /nobody took the trace/);
});

test("--unredacted keeps everything, and the page states it", { skip }, async () => {
  const { url, stop } = await start("--unredacted", "--ui", uiUrl);
  const { context, page } = await pageAt(url);
  assert.match(await page.textContent("main"), /are included, as requested/);
  await context.close();
  stop();
});

test("blackout serve shows a folder's captures, and hands each to the UI", { skip }, async () => {
  const folder = join(root, "traces");
  const { url, ended, stop } = await run("serve", "--print-url", "--ui", uiUrl, folder);
  const context = await browser.newContext();
  const page = await context.newPage();
  const complaints = [];
  page.on("console", (message) => complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(error.stack));
  await page.goto(url);
  await page.click('[data-update="0"] button');
  await page.waitForSelector("#lanes .timeline");
  assert.match(await page.textContent("h1"), /plain/);
  await page.click("#perfetto-open");
  await page.waitForSelector("#perfetto-hand-over:not([disabled])", { timeout: 60_000 });
  const [window] = await Promise.all([context.waitForEvent("page"), page.click("#perfetto-hand-over")]);
  await window.waitForFunction(() => globalThis.got.length === 1);
  const [{ title, size }] = await window.evaluate(() => globalThis.got);
  assert.equal(title, "plain");
  assert.ok(size > 100_000);
  const text = await page.evaluate(() => document.querySelector("#perfetto-status").textContent);
  assert.match(text, /passed on|Waiting/);
  assert.deepEqual(complaints, []);
  await context.close();
  stop();
  const { code } = await ended;
  assert.equal(code, 0);
});

test("a folder without captures, and a missing folder, give a message", { skip }, async () => {
  for (const [folder, printed] of [
    [join(root, "docs"), /holds no captures: expected folders with a capture.json/],
    [join(root, "nowhere"), /nowhere is not there/],
  ]) {
    const end = await (await run("serve", "--print-url", folder)).ended;
    assert.equal(end.code, 3);
    assert.match(end.printed, printed);
  }
});
