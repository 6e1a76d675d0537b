/** Reports in a real browser, from file://, for the tests. */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before } from "node:test";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

export const root = resolve(import.meta.dirname, "../..");
/** The compiled project, with viewer/report-template.html in it. */
export const dist = resolve(root, process.env.BLACKOUT_DIST ?? "dist");
const executablePath = process.env.BLACKOUT_CHROMIUM ?? "/usr/bin/chromium";
export const skip = existsSync(executablePath) ? false : `no browser at ${executablePath}`;

export const launchOptions = {
  executablePath,
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
  ],
};

/** One browser for a test file; `folder` is emptied at its end. */
export function useBrowser() {
  const folder = mkdtempSync(join(tmpdir(), "blackout-report-"));
  let browser;
  let renderReport;
  let template;
  before(async () => {
    if (skip) return;
    const { renderReportOf } = await import(join(dist, "export/report.js"));
    const { reportIndex } = await import(join(dist, "report/report-index.js"));
    renderReport = (updates, page, title) => renderReportOf(reportIndex(updates, title), updates, page);
    template = readFileSync(join(dist, "viewer/report-template.html"), "utf8");
    browser = await chromium.launch(launchOptions);
  });
  after(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /**
   * Opens the page at `url` (`init` runs in it before its own script), runs `look`, and asserts that there was no error
   * and no other request.
   */
  async function withPage(url, look, { init, ...options } = {}) {
    const page = await browser.newPage({ viewport: { width: 1400, height: 950 }, colorScheme: "light", ...options });
    if (init !== undefined) await page.addInitScript(init);
    const complaints = [];
    const asked = [];
    page.on("console", (message) => {
      // Caused by the tests' own reading of pixels, not by the page.
      if (!message.text().startsWith("Canvas2D: Multiple readback")) complaints.push(message.text());
    });
    page.on("pageerror", (error) => complaints.push(error.stack));
    page.on("request", (request) => asked.push(request.url()));
    try {
      await page.goto(url);
      await page.waitForSelector(".page:not([hidden]) .timeline, .state.error, .page:not([hidden]) .updates");
      await look(page);
      assert.deepEqual(complaints, []);
      const own = url.replace(/#.*/, "");
      assert.deepEqual(
        asked.filter((other) => other.replace(/#.*/, "") !== own && !/^(data|blob):/.test(other)),
        [],
      );
    } finally {
      await page.close();
    }
  }

  /** A report of `updates` in a separate file, as a file:// address. */
  function reportFile(updates, { title = "a report", change = (html) => html } = {}) {
    const file = join(folder, `${Math.random().toString(36).slice(2)}.html`);
    writeFileSync(file, change(renderReport(updates, template, title)));
    return pathToFileURL(file).href;
  }

  return {
    folder,
    withPage,
    reportFile,
    withReport: (updates, look, options = {}) => withPage(reportFile(updates), look, options),
    newPage: (options) => browser.newPage(options),
    template: () => template,
  };
}

/** Waits until what was dispatched has been drawn. */
export const drawn = (page) =>
  page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));

/** The pixel at `x`, `y` of the first timeline, as [r, g, b]. */
export const pixel = (page, x, y) =>
  page.evaluate(
    ([px, py]) => {
      const canvas = document.querySelector(".timeline-canvas");
      const ratio = window.devicePixelRatio;
      return [...canvas.getContext("2d").getImageData(px * ratio, py * ratio, 1, 1).data].slice(0, 3);
    },
    [x, y],
  );

/** The first timeline as a picture. */
export const picture = (page) => page.evaluate(() => document.querySelector(".timeline-canvas").toDataURL());
