/** Opens every shipped capture, as `blackout report` writes it, in a browser from file://. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { dist, drawn, pixel, root, skip, useBrowser } from "./browser.mjs";

const { folder, withPage } = useBrowser();
const run = promisify(execFile);
const cli = (...args) => run(process.execPath, [join(dist, "cli/main.js"), ...args], { maxBuffer: 1 << 28 });

const archives = (under) =>
  readdirSync(join(root, "traces", under))
    .filter((name) => name.endsWith(".tar.gz"))
    .map((name) => join("traces", under, name));

/** The report of `captures`, and the output of `blackout analyze --json` for each. */
async function reportOf(name, captures) {
  const file = join(folder, `${name}.html`);
  const paths = captures.map((path) => join(root, path));
  const [, { stdout }] = await Promise.all([cli("report", "-o", file, ...paths), cli("analyze", "--json", ...paths)]);
  const documents = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  return { url: pathToFileURL(file).href, documents };
}

/** Asserts that each seen phase is drawn, and that a click on it shows the analysis's values. */
async function phasesAreRight(page, document) {
  const seen = document.phases.filter((phase) => phase.durationNs !== null);
  assert.ok(seen.length > 0);
  for (const phase of seen) {
    await page.click(`[data-phase=${phase.name}]`);
    await page.keyboard.press("f");
    await drawn(page);
    assert.equal(await page.getAttribute("#details .exact[data-ns]", "data-ns"), String(phase.durationNs));
    assert.ok((await page.textContent("#details")).includes(`${phase.durationNs.toLocaleString("en")} ns`));
    // Fitted, the phase takes most of the width: its colour is in the middle of the ribbon, or the seam's over it.
    const { fill } = await page.evaluate((name) => {
      const mark = document.querySelector(`[data-phase=${name}] .swatch`);
      return { fill: getComputedStyle(mark).backgroundColor };
    }, phase.name);
    const box = await page.locator(".timeline").first().boundingBox();
    const y = Number(await page.getAttribute(".timeline", "data-ribbon-y"));
    const colours = [];
    for (let x = box.width * 0.4; x < box.width * 0.85; x += 25) {
      colours.push(`rgb(${(await pixel(page, x, y)).join(", ")})`);
    }
    assert.ok(colours.includes(fill), `${phase.name} ${fill} among ${[...new Set(colours)].join(" ")}`);
  }
  await page.keyboard.press("0");
}

for (const capture of archives(".")) {
  test(`${capture}: phases are drawn and show their durations`, { skip }, async () => {
    const { url, documents } = await reportOf(capture.replaceAll("/", "-"), [capture]);
    await withPage(url, (page) => phasesAreRight(page, documents[0]));
  });
}

for (const cohort of readdirSync(join(root, "traces/cohorts"))) {
  test(`cohort ${cohort}: curves, series and every update behind its row`, { skip }, async () => {
    const captures = archives(join("cohorts", cohort));
    const { url, documents } = await reportOf(cohort, captures);
    await withPage(url, async (page) => {
      for (const plot of ["#percentile-plot", "#series-plot"]) {
        const box = await page.locator(`${plot} canvas`).boundingBox();
        assert.ok(box.width > 300 && box.height > 100, `${plot} has a size`);
        const inked = await page.evaluate((selector) => {
          const canvas = document.querySelector(`${selector} canvas`);
          const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          return data.some((value, i) => i % 4 === 3 && value > 0);
        }, plot);
        assert.ok(inked, `${plot} is drawn`);
      }
      for (const [i, document] of documents.entries()) {
        await page.click("[data-page=updates]");
        await page.click(`[data-update="${i}"] button`);
        await page.waitForSelector(`#lanes[data-opened="${i}"] .timeline`);
        if (i === 0) await phasesAreRight(page, document);
        const kexec = document.phases.find((phase) => phase.name === "kexec");
        await page.click("[data-phase=kexec]");
        await drawn(page);
        assert.equal(await page.getAttribute("#details .exact[data-ns]", "data-ns"), String(kexec.durationNs));
      }
    });
  });
}
