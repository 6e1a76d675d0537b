/**
 * Compares the drawing with the pictures in goldens/. Fonts differ between machines, so text is not drawn and has the
 * same width everywhere; the rest is compared at half size, with tolerance for a browser's smoothing of edges.
 * UPDATE_GOLDEN=1 writes the pictures again: look at them before committing.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { inflateRawSync } from "node:zlib";
import { dist, drawn, root, skip, useBrowser } from "./browser.mjs";

const { folder, withPage, reportFile } = useBrowser();
const goldens = join(import.meta.dirname, "goldens");
const { UPDATE_ADVICE, updatingGoldens, writeGolden } = await import(join(dist, "testing/golden.js"));
const updating = updatingGoldens();
/** Tolerance of 255 per pixel, and how many pixels of the halved picture may differ by more. */
const TOLERATED = 32;
const MOST_DIFFERENT = 40;

const reports = {};
const captures = {
  plain: ["plain.tar.gz"],
  "v72-v73": ["v72-v73.tar.gz"],
  cohorts: ["base", "devices"].flatMap((cohort) => [1, 2, 3, 4].map((i) => `cohorts/${cohort}/0${i}.tar.gz`)),
};
before(() => {
  if (skip) return;
  for (const [name, list] of Object.entries(captures)) {
    const file = join(folder, `${name}.html`);
    const paths = list.map((capture) => join(root, "traces", capture));
    execFileSync(process.execPath, [join(dist, "cli/main.js"), "report", "-o", file, ...paths], { stdio: "ignore" });
    reports[name] = pathToFileURL(file).href;
  }
});

/** Runs in the page before its own script. */
function withoutText() {
  const pen = CanvasRenderingContext2D.prototype;
  pen.fillText = () => {};
  pen.strokeText = () => {};
  pen.measureText = (text) => ({ width: text.length * 6.6, actualBoundingBoxAscent: 8, actualBoundingBoxDescent: 2 });
}

const withLook = (url, theme, look) =>
  withPage(url, look, { colorScheme: theme, viewport: { width: 1400, height: 1300 }, init: withoutText });

/** The timeline at a size that no font changes. */
async function fixedSize(page) {
  await page.evaluate(() => {
    const { style } = document.querySelector(".timeline-frame");
    Object.assign(style, { position: "fixed", left: "0", top: "0", width: "1100px", height: "1240px", zIndex: "9" });
  });
  await page.waitForFunction(() => {
    const { width, height } = document.querySelector(".timeline-canvas");
    return Math.abs(width - 1098) <= 2 && Math.abs(height - 1238) <= 2;
  });
  await drawn(page);
}

/**
 * How many pixels of the canvas at half its size differ from the golden picture; if there is no picture, the canvas as
 * a PNG data URL.
 */
async function compared(page, selector, golden) {
  const known = existsSync(golden) ? `data:image/png;base64,${readFileSync(golden).toString("base64")}` : null;
  return page.evaluate(
    async ([chosen, address, tolerated]) => {
      const canvas = document.querySelector(chosen);
      const half = document.createElement("canvas");
      half.width = Math.floor(canvas.width / 2);
      half.height = Math.floor(canvas.height / 2);
      const pen = half.getContext("2d", { willReadFrequently: true });
      pen.fillStyle = getComputedStyle(document.body).backgroundColor;
      pen.fillRect(0, 0, half.width, half.height);
      pen.drawImage(canvas, 0, 0, half.width, half.height);
      if (address === null) return { picture: half.toDataURL("image/png") };
      const own = pen.getImageData(0, 0, half.width, half.height).data;
      const image = new Image();
      image.src = address;
      await image.decode();
      if (image.width !== half.width || image.height !== half.height)
        return { size: `${half.width} x ${half.height}, not ${image.width} x ${image.height}` };
      pen.drawImage(image, 0, 0);
      const kept = pen.getImageData(0, 0, half.width, half.height).data;
      let different = 0;
      for (let at = 0; at < own.length; at += 4) {
        const by = (channel) => Math.abs(own[at + channel] - kept[at + channel]);
        if (Math.max(by(0), by(1), by(2)) > tolerated) different++;
      }
      return { different };
    },
    [selector, known, TOLERATED],
  );
}

async function assertLook(page, selector, name) {
  const golden = join(goldens, `${name}.golden.png`);
  if (updating) rmSync(golden, { force: true });
  const found = await compared(page, selector, golden);
  if (updating) {
    writeGolden(golden, Buffer.from(found.picture.split(",")[1], "base64"));
    return;
  }
  assert.equal(found.picture, undefined, `${golden} is missing; ${UPDATE_ADVICE}`);
  assert.equal(found.size, undefined);
  assert.ok(found.different <= MOST_DIFFERENT, `${found.different} pixels differ from ${name}.golden.png`);
}

for (const name of ["plain", "v72-v73"]) {
  for (const theme of ["light", "dark"]) {
    test(`the timeline of ${name} looks as it did, ${theme}`, { skip }, () =>
      withLook(reports[name], theme, async (page) => {
        await fixedSize(page);
        await assertLook(page, ".timeline-canvas", `${name}-${theme}`);
      }),
    );
  }
}

test("plots, strips and heat map of two cohorts look as they did", { skip }, () =>
  withLook(reports.cohorts, "light", async (page) => {
    await page.waitForFunction(() => document.querySelectorAll("#heat-map canvas").length > 0);
    await drawn(page);
    await drawn(page);
    const count = await page.evaluate(() => {
      const all = [...document.querySelectorAll("#page-updates canvas")];
      for (const [i, canvas] of all.entries()) canvas.dataset.look = `${i}`;
      return all.length;
    });
    for (let i = 0; i < count; i++) await assertLook(page, `[data-look="${i}"]`, `cohorts-${i}`);
  }),
);

test("a missing part is noticed: the seam, and each group of lanes by itself", {
  skip: skip || updating,
}, async () => {
  const golden = join(goldens, "plain-light.golden.png");
  const noticed = async (page, what) => {
    const { different } = await compared(page, ".timeline-canvas", golden);
    assert.ok(different > MOST_DIFFERENT, `without ${what} only ${different} pixels differ`);
  };
  const html = readFileSync(new URL(reports.plain), "utf8");
  const coded = /id="blackout-update-0"[^>]*>"([^"]*)"/.exec(html)[1];
  const { decodeLiveUpdate } = await import(join(dist, "report/update-codec.js"));
  const { SPAN_KINDS } = await import(join(dist, "model/span-table.js"));
  const update = decodeLiveUpdate(inflateRawSync(Buffer.from(coded, "base64"))).value;
  const nowhere = { beginNs: null, endNs: null, durationNs: null, uncertaintyNs: null };
  const seamless = { ...update, document: { ...update.document, seam: nowhere } };
  await withLook(reportFile([seamless]), "light", async (page) => {
    await fixedSize(page);
    await noticed(page, "the seam");
  });
  // The rows stay, so that no lane below moves up: only what is drawn in the lanes goes.
  for (const kinds of [
    ["session", "file"],
    ["device"],
    ["initcall"],
    ["function"],
    ["cpu", "notifier"],
    ["task"],
    ["irq", "softirq"],
  ]) {
    const removed = new Set(kinds.map((kind) => SPAN_KINDS.indexOf(kind)));
    const { spans } = update;
    const endNs = spans.endNs.map((end, row) => (removed.has(spans.kind[row]) ? -3e9 : end));
    const beginNs = spans.beginNs.map((begin, row) => (removed.has(spans.kind[row]) ? -3e9 : begin));
    await withLook(reportFile([{ ...update, spans: { ...spans, beginNs, endNs } }]), "light", async (page) => {
      await fixedSize(page);
      await noticed(page, kinds.join(" and "));
    });
  }
});

test("interrupt silence: in the lane, in the overview as a list, in details, and in the link", { skip }, () =>
  withPage(reports.plain, async (page) => {
    const listed = await page.$$eval("#silences button", (all) => all.map((button) => button.textContent));
    assert.ok(listed.length >= 2, `${listed}`);
    const name = await page.textContent("#silences .longest-name >> nth=0");
    await page.click("#silences button >> nth=0");
    await page.waitForFunction(
      () => document.querySelector("#details .detail-kind")?.textContent === "interrupt silence",
    );
    assert.equal(await page.textContent("#details h3"), name);
    await page.waitForFunction(() => location.hash.includes("select=silence"));
    assert.match(page.url(), /select=silence%2C0/);
    const chip = await page.textContent("#groups .chip:has-text('Interrupt silence') .chip-count");
    assert.equal(Number(chip), listed.length);
    const tabs = await page.$$eval(".tab", (all) => all.map((tab) => tab.getBoundingClientRect().right));
    assert.ok(Math.max(...tabs) <= 1400, `every tab is on the page: ${tabs}`);
  }),
);
