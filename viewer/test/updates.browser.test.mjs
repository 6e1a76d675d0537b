/** Many updates, and two side by side, on the shipped cohorts, from file://. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { dist, drawn, picture, root, skip, useBrowser } from "./browser.mjs";

const { folder, withPage } = useBrowser();
const cli = (...args) =>
  execFileSync(process.execPath, [join(dist, "cli/main.js"), ...args], {
    stdio: ["ignore", "pipe", "ignore"],
    maxBuffer: 1 << 28,
  });
const members = ["base", "devices"].flatMap((cohort) =>
  Array.from({ length: 6 }, (_, i) => join(root, `traces/cohorts/${cohort}/0${i + 1}.tar.gz`)),
);
let url;
before(() => {
  if (skip) return;
  const file = join(folder, "cohorts.html");
  cli("report", "-o", file, ...members);
  url = pathToFileURL(file).href;
});

const status = (page) => page.textContent("#filter-status");
const filter = async (page, text) => {
  await page.fill("#filter", text);
  await page.waitForFunction(
    (wanted) => new URLSearchParams(location.hash.slice(1)).get("filter") === (wanted === "" ? null : wanted),
    text,
  );
  await drawn(page);
};
const rows = (page) => page.locator("#updates tbody tr[data-update]").count();

test("the filter narrows table and plots, sorts, and names what it does not understand", { skip }, () =>
  withPage(url, async (page) => {
    assert.equal(await rows(page), 12);
    assert.match(await page.textContent("#updates"), /base\/01.*devices\/01/s, "equal names get their folder");
    await filter(page, "device:0000:00:06.0");
    assert.equal(await status(page), "6 of 12 updates", "the devices cohort has four more e1000s");
    assert.equal(await rows(page), 6);
    await filter(page, "-device:0000:00:06.0 kexec > 1s");
    assert.equal(await status(page), "6 of 12 updates");
    assert.match(await page.textContent("#updates tbody"), /^1base\/01/);
    await filter(page, "kexec >");
    assert.match(await status(page), /needs a comparison/);
    assert.equal(await page.getAttribute("#filter", "aria-invalid"), "true");
    await page.fill("#filter", "");
    await page.waitForFunction(() => document.querySelector("#filter-status").textContent === "12 updates");
    await page.click('[data-sort="blackout"]');
    await drawn(page);
    const blackouts = await page.$$eval("#updates tbody tr[data-update] td:nth-child(4)", (cells) =>
      cells.map((cell) => Number(cell.title.replace(/\D/g, ""))),
    );
    assert.deepEqual(
      blackouts,
      [...blackouts].sort((a, b) => b - a),
    );
    await page.fill("#budget", "5s");
    await page.waitForFunction(() => /over 5\.000 s/.test(document.querySelector("#filter-status").textContent));
    const over = blackouts.filter((ns) => ns > 5e9).length;
    assert.match(await status(page), new RegExp(`, ${over} over 5\\.000 s`));
    await page.waitForSelector("html[data-address=current]", { state: "attached" });
    assert.match(page.url(), /budget=5000000000/);
    assert.match(page.url(), /sort=-blackout/);
  }),
);

test("the change between the cohorts is found, causes that differ come first, a cell opens its update", { skip }, () =>
  withPage(url, async (page) => {
    await page.waitForFunction(() => /The blackout changes/.test(document.querySelector("#plots").textContent));
    assert.match(
      await page.textContent("#plots"),
      /changes \(E-divisive, p ≤ 0\.01\): from 7 \(devices\/01\) longer by [\d.]+ s \(\+\d\d\.\d %; 95 % interval/,
    );
    const label = await page.getAttribute("#heat-map canvas", "aria-label");
    assert.match(label, /e1000 0000:00:0[5-8]\.0/);
    const box = await page.locator("#heat-map canvas").boundingBox();
    await page.mouse.move(box.x + box.width - 40, box.y + 8);
    await drawn(page);
    assert.match(await page.textContent(".plot-reading"), /^devices\/06: /);
    await page.mouse.click(box.x + box.width - 40, box.y + 8);
    await page.waitForSelector('#lanes[data-opened="11"] .timeline');
  }),
);

test("two updates: aligned, zoomed as one, and the difference by cause adds up", { skip }, () =>
  withPage(`${url}#page=compare&update=0&with=6`, async (page) => {
    await page.waitForSelector("#difference-causes");
    const cells = (selector) => page.$$eval(selector, (all) => all.map((cell) => Number(cell.dataset.by)));
    const [blackout] = await cells("#difference table:first-child [data-by]");
    const causes = await cells("#difference-causes [data-by]");
    assert.equal(
      causes.reduce((sum, by) => sum + by, 0),
      blackout,
    );
    assert.match(await page.textContent("#difference-causes tbody tr"), /e1000/);
    const second = () =>
      page.evaluate(() =>
        [...document.querySelectorAll("#page-compare .timeline-canvas")].map((canvas) => canvas.toDataURL()),
      );
    const before = await second();
    assert.equal(before.length, 2);
    const box = await page.locator("#page-compare .timeline").first().boundingBox();
    await page.mouse.move(box.x + 500, box.y + 200);
    await page.keyboard.press("KeyW");
    await drawn(page);
    const after = await second();
    assert.ok(after[0] !== before[0] && after[1] !== before[1], "both are zoomed");
    await page.selectOption('[data-side="other"]', "0");
    await page.waitForFunction(() =>
      [...document.querySelectorAll("#difference-causes [data-by]")].every((cell) => cell.dataset.by === "0"),
    );
  }),
);

test("files dropped on the page are opened, and each that cannot be is named with what to do", { skip }, async () => {
  const json = join(folder, "two.jsonl");
  writeFileSync(json, cli("analyze", "--json", ...members.slice(0, 2)));
  const other = join(folder, "other.html");
  cli("report", "-o", other, join(root, "traces/v72-v73.tar.gz"));
  await withPage(url, async (page) => {
    const wrong = (name, text) => ({ name, mimeType: "", buffer: Buffer.from(text) });
    await page.setInputFiles("input[type=file]", [
      { name: "two.jsonl", mimeType: "application/json", buffer: readFileSync(json) },
      { name: "other.html", mimeType: "text/html", buffer: readFileSync(other) },
      { name: "capture.tar.gz", mimeType: "", buffer: readFileSync(members[0]) },
      wrong("<b>notes.txt", "hello"),
      wrong("empty", ""),
      wrong("half.json", '{"format":"blackout-live-update","version":1'),
      wrong("page.html", "<script>document.title='owned'</script><p>no report"),
      wrong("schema.json", '{"format":"blackout-live-update","version":1,"capture":{"name":"x"}}'),
    ]);
    await page.waitForFunction(() => document.querySelectorAll("#updates tbody tr[data-update]").length === 15);
    const notices = await page.textContent("#notices");
    for (const part of [
      "capture.tar.gz: it is a capture, or an archive; write a report of it",
      "<b>notes.txt: it is not a blackout report",
      "empty: the file is empty",
      "half.json: line 1 is not JSON",
      "page.html: this viewer cannot read the report",
      "schema.json: its JSON is not a blackout-live-update document",
    ]) {
      assert.ok(notices.includes(part), `${part} in ${notices}`);
    }
    assert.equal(await page.locator("#notices b").count(), 0);
    assert.notEqual(await page.title(), "owned");
    while ((await page.locator("#notices button").count()) > 0) {
      await page.click("#notices button >> nth=0");
      await drawn(page);
    }
    await page.click('[data-update="14"] button');
    await page.waitForSelector('#lanes[data-opened="14"] .timeline');
    assert.match(await page.textContent("#summary"), /v72-v73/);
    assert.ok((await picture(page)).length > 1000);
    await page.click("[data-page=updates]");
    await page.click('[data-update="12"] button');
    await page.waitForSelector('#lanes[data-opened="12"] .timeline');
    assert.match(await page.textContent("#groups"), /Sessions/);
  });
});
