/**
 * How fast the viewer is in a real browser: an update of five million spans, the shipped captures, ten thousand
 * updates. See ../README.md. Options: --spans N, --only large|shipped|many, --keep FOLDER.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { inflateRawSync } from "node:zlib";
import { cpuToMark, frameWork, launch, peakMemory, quantile } from "./browser.mjs";
import { enlarged, manyUpdates } from "./synthetic.mjs";

const { values } = parseArgs({
  options: {
    spans: { type: "string", default: "5000000" },
    updates: { type: "string", default: "10000" },
    only: { type: "string" },
    dist: { type: "string", default: "dist" },
    keep: { type: "string" },
  },
});
const root = resolve(import.meta.dirname, "../..");
const dist = resolve(root, values.dist);
const folder = values.keep ?? mkdtempSync(join(tmpdir(), "blackout-bench-"));
const wanted = (name) => values.only === undefined || values.only === name;

const { decodeLiveUpdate } = await import(join(dist, "report/update-codec.js"));
const { parseReportIndex, reportIndex } = await import(join(dist, "report/report-index.js"));
const { SPAN_KINDS } = await import(join(dist, "model/span-table.js"));
const { renderReportOf } = await import(join(dist, "export/report.js"));
const template = readFileSync(join(dist, "viewer/report-template.html"), "utf8");

function report(name, ...captures) {
  const file = join(folder, `${name}.html`);
  const paths = captures.map((capture) => join(root, "traces", capture));
  execFileSync(process.execPath, [join(dist, "cli/main.js"), "report", "-o", file, ...paths], { stdio: "pipe" });
  return file;
}

function dataOf(file, id) {
  const text = readFileSync(file, "utf8");
  const coded = new RegExp(`id="${id}"[^>]*>"([^"]*)"`).exec(text)[1];
  return inflateRawSync(Buffer.from(coded, "base64"));
}

const ms = (value) => `${value.toFixed(value < 10 ? 1 : 0)} ms`;
const row = (what, measured, bar) => console.log(`${what.padEnd(58)} ${measured.padStart(12)}   ${bar}`);

async function opened(file, ready, mark) {
  const browser = await launch();
  const page = await browser.newPage({ viewport: { width: 1600, height: 1000 } });
  const cpuMs = await cpuToMark(page, mark, async () => {
    await page.goto(pathToFileURL(file).href, { timeout: 300_000 });
    await page.waitForSelector(ready, { timeout: 300_000, state: "attached" });
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  });
  return { browser, page, cpuMs };
}

const marks = (page) =>
  page.evaluate(() => {
    const at = (name) => performance.getEntriesByName(name)[0]?.startTime ?? Number.NaN;
    return { read: at("blackout:read"), painted: at("blackout:painted"), listed: at("blackout:listed") };
  });

if (wanted("shipped")) {
  const file = join(folder, "nothing.html");
  writeFileSync(
    file,
    "<!doctype html><p class=timeline>x<script>requestAnimationFrame(() => performance.mark('blackout:painted'))</script>",
  );
  const { browser, page, cpuMs } = await opened(file, ".timeline", "blackout:painted");
  row("a page of one letter, as the machine's own share", ms((await marks(page)).painted), "");
  row("  the main thread's CPU time up to there", ms(cpuMs), "");
  await browser.close();
  for (const capture of ["plain.tar.gz", "tsc-persistent.tar.gz", "v72-v73.tar.gz"]) {
    const { browser, page, cpuMs } = await opened(report(capture, capture), ".timeline", "blackout:painted");
    const { painted } = await marks(page);
    row(`${capture}: navigation to first paint`, ms(painted), "bar 300 ms");
    row("  the main thread's CPU time up to there", ms(cpuMs), "bar 300 ms");
    await browser.close();
  }
}

if (wanted("large")) {
  const count = Number(values.spans);
  const plain = decodeLiveUpdate(dataOf(report("plain", "plain.tar.gz"), "blackout-update-0"));
  const file = join(folder, "large.html");
  const updates = [enlarged(plain.value, count, SPAN_KINDS)];
  writeFileSync(file, renderReportOf(reportIndex(updates, "large"), updates, template));
  console.log(`${count.toLocaleString("en")} spans, a report of ${(statSync(file).size / 2 ** 20).toFixed(0)} MiB`);
  const { browser, page } = await opened(file, ".timeline", "blackout:painted");
  const { read, painted } = await marks(page);
  row("navigation to data in memory", ms(read), "");
  row("data in memory to first paint", ms(painted - read), "bar 2,000 ms");
  const box = await page.locator(".timeline").boundingBox();
  await page.mouse.move(box.x + box.width * 0.6, box.y + box.height * 0.6);
  const frames = await frameWork(page, () => sweep(page));
  console.log(`zoom, pan and scroll, ${frames.length} frames: main-thread work`);
  for (const [what, of] of [
    ["  CPU time", (frame) => frame.cpu],
    ["  wall time", (frame) => frame.wall],
  ]) {
    const work = frames.map(of);
    row(`${what}, p50`, ms(quantile(work, 0.5)), "");
    row(`${what}, p95`, ms(quantile(work, 0.95)), "bar 16.7 ms");
    row(`${what}, worst`, ms(Math.max(...work)), "");
  }
  row("peak memory of the page's process", `${(await peakMemory(browser)).toFixed(0)} MiB`, "bar 1,024 MiB");
  await browser.close();
}

/** Zooms far in and out by keys and wheel, pans, and scrolls through the lanes. */
async function sweep(page) {
  const frame = () => page.evaluate(() => new Promise((done) => requestAnimationFrame(done)));
  for (const [key, times] of [
    ["KeyW", 40],
    ["KeyD", 20],
    ["KeyA", 20],
    ["KeyS", 40],
  ]) {
    for (let i = 0; i < times; i++) {
      await page.keyboard.press(key);
      await frame();
    }
  }
  for (let i = 0; i < 40; i++) {
    await page.mouse.wheel(0, 240);
    await frame();
  }
  await page.keyboard.down("Control");
  for (const by of [-120, 120]) {
    for (let i = 0; i < 20; i++) {
      await page.mouse.wheel(0, by);
      await frame();
    }
  }
  await page.keyboard.up("Control");
}

if (wanted("many")) {
  const few = report(
    "few",
    ...Array.from({ length: 10 }, (_, i) => `cohorts/base/${String(i + 1).padStart(2, "0")}.tar.gz`),
  );
  const index = parseReportIndex(dataOf(few, "blackout-index").toString("utf8")).value;
  const file = join(folder, "many.html");
  const entries = manyUpdates(index.entries, Number(values.updates));
  writeFileSync(file, renderReportOf({ ...index, entries }, [], template));
  const { browser, page, cpuMs } = await opened(file, "#updates tbody tr", "blackout:listed");
  const { listed } = await marks(page);
  row(`${entries.length.toLocaleString("en")} updates: navigation to table and percentiles`, ms(listed), "bar 500 ms");
  row("  the main thread's CPU time up to there", ms(cpuMs), "bar 500 ms");
  await browser.close();
}

if (values.keep === undefined) rmSync(folder, { recursive: true, force: true });
