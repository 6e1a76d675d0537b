/**
 * The viewer compared with speedscope: from choosing the same spans as a file on an open page until they are drawn.
 * speedscope gets Chrome's JSON, the only format of blackout's that it reads, with complete events by task; the viewer
 * gets the report. Run `npm ci` in this folder first. See ../README.md. Options: --spans N,N,…, --patience SECONDS.
 */
import { execFileSync } from "node:child_process";
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { inflateRawSync } from "node:zlib";
import { launch, peakMemory } from "./browser.mjs";
import { enlarged } from "./synthetic.mjs";

const { values } = parseArgs({
  options: {
    spans: { type: "string", default: "6000,50000,500000,5000000" },
    patience: { type: "string", default: "120" },
    dist: { type: "string", default: "dist" },
  },
});
const root = resolve(import.meta.dirname, "../..");
const dist = resolve(root, values.dist);
const peer = join(import.meta.dirname, "node_modules/speedscope/dist/release/index.html");
if (!existsSync(peer)) {
  console.error("speedscope is not installed: run npm ci in bench/viewer");
  process.exit(2);
}
const { version } = JSON.parse(readFileSync(join(peer, "../../../package.json"), "utf8"));
const patience = 1000 * Number(values.patience);
const folder = mkdtempSync(join(tmpdir(), "blackout-bench-"));
const { decodeLiveUpdate } = await import(join(dist, "report/update-codec.js"));
const { SPAN_KINDS } = await import(join(dist, "model/span-table.js"));
const { renderReportOf } = await import(join(dist, "export/report.js"));
const { reportIndex } = await import(join(dist, "report/report-index.js"));
const template = readFileSync(join(dist, "viewer/report-template.html"), "utf8");

const plainReport = join(folder, "plain.html");
const capture = join(root, "traces/plain.tar.gz");
execFileSync(process.execPath, [join(dist, "cli/main.js"), "report", "-o", plainReport, capture], { stdio: "pipe" });
const coded = /id="blackout-update-0"[^>]*>"([^"]*)"/.exec(readFileSync(plainReport, "utf8"))[1];
const plain = decodeLiveUpdate(inflateRawSync(Buffer.from(coded, "base64"))).value;

/** Chrome's JSON, one complete event per span, written in pieces: it may be longer than the longest string. */
function writeChromeJson(file, { spans }) {
  const fd = openSync(file, "w");
  let block = '{"traceEvents":[';
  for (let row = 0; row < spans.count; row++) {
    const [begin, end] = [spans.beginNs[row] + 1e10, spans.endNs[row] + 1e10];
    const name = JSON.stringify(spans.strings[spans.name[row]]);
    const tid = spans.pid[row] >= 0 ? spans.pid[row] : 1e6 + spans.cpu[row] + 1;
    block += `${row === 0 ? "" : ","}\n{"ph":"X","name":${name},"pid":${spans.boot[row]},"tid":${tid},"ts":${begin / 1e3},"dur":${(end - begin) / 1e3}}`;
    if (block.length < 1 << 20) continue;
    writeSync(fd, block);
    block = "";
  }
  writeSync(fd, `${block}\n]}\n`);
  closeSync(fd);
}

/**
 * From choosing `file` on the page at `url` until `drawn` is true in it, and the next frame; or why that never happens.
 */
async function measured(url, file, input, drawn, failed) {
  const browser = await launch();
  try {
    const page = await browser.newPage({ viewport: { width: 1600, height: 1000 } });
    let wrong = null;
    page.on("pageerror", (error) => {
      wrong ??= error.message;
    });
    page.on("crash", () => {
      wrong ??= "the page's process died";
    });
    page.on("dialog", (dialog) => {
      wrong ??= dialog.message();
      void dialog.dismiss();
    });
    await page.goto(pathToFileURL(url).href);
    await page.waitForSelector(input, { state: "attached" });
    await page.evaluate(() => {
      document.addEventListener("change", () => performance.mark("bench:chosen"), true);
    });
    await page.setInputFiles(input, file);
    const began = Date.now();
    while (wrong === null && Date.now() - began < patience) {
      // A busy page does not answer: it has the rest of the time to do so.
      const state = await Promise.race([
        page.evaluate(drawn).catch((error) => `${error.message.split("\n")[0]}`),
        new Promise((late) => setTimeout(late, began + patience - Date.now(), false)),
      ]);
      if (state === false && Date.now() - began >= patience) break;
      if (typeof state === "string") wrong = state;
      if (state === true) {
        const took = await page.evaluate(
          () =>
            new Promise((done) => {
              requestAnimationFrame(() =>
                requestAnimationFrame(() =>
                  done(performance.now() - performance.getEntriesByName("bench:chosen")[0].startTime),
                ),
              );
            }),
        );
        return { took, peak: await peakMemory(browser) };
      }
      wrong ??= await page.evaluate(failed).catch(() => null);
      await new Promise((next) => setTimeout(next, 20));
    }
    return { wrong: wrong ?? `nothing after ${values.patience} s` };
  } finally {
    await browser.close();
  }
}

const told = ({ took, peak, wrong }) =>
  wrong === undefined
    ? `${took.toFixed(0).padStart(7)} ms ${peak.toFixed(0).padStart(6)} MiB`
    : `cannot: ${wrong.slice(0, 90)}`;
const mib = (file) => `${(statSync(file).size / 2 ** 20).toFixed(1)} MiB`;

console.log(`file chosen to drawn, wall time, and the page's peak memory; speedscope ${version}`);
for (const count of values.spans.split(",").map(Number)) {
  const update = enlarged(plain, count, SPAN_KINDS);
  const json = join(folder, `${count}.json`);
  const report = join(folder, `${count}.html`);
  writeChromeJson(json, update);
  writeFileSync(report, renderReportOf(reportIndex([update], `${count}`), [update], template));
  const own = await measured(
    plainReport,
    report,
    "input[type=file]",
    () => document.querySelector('#lanes[data-opened="1"] .timeline-canvas') !== null,
    () => document.querySelector(".notice.error")?.textContent ?? null,
  );
  const other = await measured(
    peer,
    json,
    "input[type=file]",
    () => / - speedscope$/.test(document.title) && document.querySelector("canvas") !== null,
    () => null,
  );
  console.log(`${count.toLocaleString("en").padStart(10)} spans`);
  console.log(`           blackout    ${told(own)}   (${mib(report)})`);
  console.log(`           speedscope  ${told(other)}   (${mib(json)})`);
}
rmSync(folder, { recursive: true, force: true });
