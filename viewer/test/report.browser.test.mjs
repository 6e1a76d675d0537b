import assert from "node:assert/strict";
import { before, test } from "node:test";
import { dist, drawn, picture, pixel, root, skip, useBrowser } from "./browser.mjs";
import { plainUpdate, scaledUpdate, unlinkedUpdate } from "./fixture.mjs";

const { withReport, reportFile, newPage, template } = useBrowser();
let plain;
before(async () => {
  if (!skip) plain = await plainUpdate(root, dist);
});

/** Where the ribbon of the phases lies in the timeline. */
const RIBBON_Y = 73;

test("the head shows name, kernels, blackout with its ±, basis, clock and defects", { skip }, () =>
  withReport([plain], async (page) => {
    const text = await page.textContent("#overview");
    for (const part of ["plain", "Completed", "7.3.4-luo", "5.218 s", "± 93 us", "vm-marks", "TSC and trace clock"]) {
      assert.ok(text.includes(part), `${part} in ${text}`);
    }
    await page.click("#defects summary");
    const defects = await page.textContent("#defects");
    for (const part of ["4 defects", "text-undecoded", "new/trace:71", "<script>alert(1)</script>", "Record with"]) {
      assert.ok(defects.includes(part), `${part} in ${defects}`);
    }
  }),
);

test("a click on a phase, in the table or on the ribbon, shows its exact duration", { skip }, () =>
  withReport([plain], async (page) => {
    for (const phase of plain.document.phases) {
      await page.click(`[data-phase=${phase.name}]`);
      await drawn(page);
      assert.equal(await page.getAttribute("#details .exact[data-ns]", "data-ns"), String(phase.durationNs));
    }
    const box = await page.locator(".timeline").boundingBox();
    assert.deepEqual(await pixel(page, box.width / 2 + 300, RIBBON_Y - 6), [0xd5, 0x5e, 0x00], "kexec is drawn");
    await page.mouse.click(box.x + box.width / 2, box.y + RIBBON_Y);
    await drawn(page);
    const kexec = plain.document.phases.find((phase) => phase.name === "kexec");
    assert.equal(await page.getAttribute("#details .exact[data-ns]", "data-ns"), String(kexec.durationNs));
    assert.ok((await page.textContent("#details")).includes(`${kexec.durationNs.toLocaleString("en")} ns`));
  }),
);

test("a click on a span shows that span; arrows walk to its neighbours", { skip }, () =>
  withReport([plain], async (page) => {
    const { spans } = plain;
    await page.click(".longest-button >> nth=0");
    await page.keyboard.press("f");
    await drawn(page);
    const name = await page.textContent("#details h3");
    const rows = [...spans.name].flatMap((id, row) => (spans.strings[id] === name ? [row] : []));
    const lengths = rows.map((row) => String(spans.endNs[row] - spans.beginNs[row]));
    assert.ok(lengths.includes(await page.getAttribute("#details .exact[data-ns]", "data-ns")));
    // Kernels have functions with the same name in two modules: the exact begin distinguishes spans.
    const begin = () => page.textContent("#details .exact >> nth=0");
    const first = await begin();
    await page.focus(".timeline");
    await page.keyboard.press("ArrowRight");
    await drawn(page);
    assert.notEqual(await begin(), first);
    await page.keyboard.press("ArrowLeft");
    await drawn(page);
    assert.equal(await begin(), first);
  }),
);

test("keys zoom, pan and reset; the wheel zooms; Escape clears; ? helps", { skip }, () =>
  withReport([plain], async (page) => {
    const box = await page.locator(".timeline").boundingBox();
    await page.mouse.move(box.x + 700, box.y + 300);
    await drawn(page);
    const home = await picture(page);
    for (const key of ["KeyW", "KeyD"]) {
      const earlier = await picture(page);
      await page.keyboard.press(key);
      await drawn(page);
      assert.notEqual(await picture(page), earlier, key);
    }
    await page.keyboard.press("Digit0");
    await drawn(page);
    assert.equal(await picture(page), home);
    await page.keyboard.down("Control");
    await page.mouse.wheel(0, -300);
    await page.keyboard.up("Control");
    await drawn(page);
    assert.notEqual(await picture(page), home);
    await page.keyboard.press("0");
    await page.mouse.down();
    await page.mouse.move(box.x + 900, box.y + 300, { steps: 4 });
    await page.mouse.up();
    await drawn(page);
    assert.match(await page.textContent("#details"), /Selected range/);
    await page.keyboard.press("Escape");
    await drawn(page);
    assert.doesNotMatch(await page.textContent("#details"), /Selected range/);
    await page.keyboard.press("?");
    await drawn(page);
    assert.ok(await page.isVisible("#help"));
    await page.keyboard.press("Escape");
    await drawn(page);
    assert.ok(await page.isHidden("#help"));
  }),
);

test("several updates are plotted, listed, and opened by a click", { skip }, () => {
  const updates = [1, 1.1, 0.9, 1.3].map((factor, i) => scaledUpdate(plain, `update ${i + 1}`, factor));
  return withReport(updates, async (page) => {
    for (const plot of ["percentile", "series", "ecdf"]) {
      assert.equal(await page.locator(`#${plot}-plot canvas`).count(), 1);
    }
    assert.equal(await page.locator("#updates tbody tr").count(), 4);
    await page.click('[data-update="3"] button');
    await page.waitForFunction(() => document.querySelector("#summary h1")?.textContent === "update 4");
    await page.waitForSelector(".timeline");
    assert.ok((await page.textContent("#blackout-figure")).includes("6.783 s"));
    await page.click("[data-page=updates]");
    const box = await page.locator("#series-plot .u-over").boundingBox();
    await page.mouse.move(box.x + 30, box.y + 60);
    await page.mouse.click(box.x + box.width / 8, box.y + 60);
    await page.waitForFunction(() => document.querySelector("#summary h1")?.textContent === "update 1");
  });
});

test("without a clock link there are two axes, no blackout, and sentences that explain it", { skip }, () =>
  withReport([unlinkedUpdate(plain)], async (page) => {
    assert.equal(await page.locator(".timeline").count(), 2);
    const text = await page.textContent("main");
    for (const part of [
      "Blackout unknown",
      "could not be linked",
      "two separate axes",
      "begin not seen (not before +1.000 us)",
    ]) {
      assert.ok(text.includes(part), `${part} in ${text}`);
    }
  }),
);

test("one kernel's events alone give one axis, and its phases on it", { skip }, () => {
  const alone = unlinkedUpdate(plain);
  const { spans, document } = alone;
  const update = {
    ...alone,
    document: {
      ...document,
      clock: { ...document.clock, method: "single" },
      phases: document.phases.filter((phase) => phase.axis === "old"),
      defects: [],
    },
    spans: { ...spans, boot: spans.boot.map((boot) => (boot === 2 ? 0 : boot)) },
    printk: [],
  };
  return withReport([update], async (page) => {
    assert.equal(await page.locator(".timeline").count(), 1);
    assert.match(await page.textContent("#summary"), /Events of one kernel only/);
    await page.click("[data-phase=prepare]");
    await drawn(page);
    assert.ok(Number(await page.getAttribute("#details .exact[data-ns]", "data-ns")) > 0);
  });
});

test("hostile names stay text", { skip }, () => {
  const hostile = `<img src=x onerror="document.title='owned'"></script><script>document.title='owned'</script>\u202e\u0007`;
  const { document, spans } = plain;
  const update = {
    ...plain,
    document: {
      ...document,
      capture: {
        ...document.capture,
        name: hostile,
        kernel: { old: hostile, new: hostile },
        labels: { [hostile]: hostile },
      },
      outcome: "failed",
      outcomeReason: hostile,
      defects: document.defects.map((found) => ({
        ...found,
        file: hostile,
        code: hostile,
        message: hostile,
        advice: hostile,
      })),
    },
    spans: { ...spans, strings: spans.strings.map((text) => (text === "" ? "" : `${text}${hostile}`)) },
    printk: plain.printk.map((line) => ({ ...line, text: hostile })),
  };
  return withReport([update, update], async (page) => {
    await page.click('[data-update="0"] button');
    await page.click("#defects summary");
    await page.click(".longest-button >> nth=0");
    await drawn(page);
    assert.equal(await page.title(), "a report");
    assert.equal(await page.locator("img").count(), 0);
    assert.equal(await page.evaluate(() => document.scripts.length), 4, "index, two updates, the viewer");
    assert.ok((await page.textContent("h1")).includes("<img src=x"));
    assert.ok((await page.textContent("h1")).includes("<U+202E>"));
  });
});

test("a damaged report gives a message", { skip }, async () => {
  const page = await newPage();
  const change = (html) => html.replace(/(id="blackout-update-0"[^>]*>".{400}).{40}/, "$1");
  await page.goto(reportFile([plain], { change }));
  await page.waitForSelector(".state.error");
  assert.match(await page.textContent(".state.error"), /This update cannot be shown: .*damaged/);
  await page.close();
});

test("the theme follows the system and the toggle", { skip }, () =>
  withReport(
    [plain],
    async (page) => {
      assert.equal(await page.getAttribute("html", "data-theme"), "dark");
      await page.click("#theme-toggle");
      await drawn(page);
      assert.equal(await page.getAttribute("html", "data-theme"), "light");
    },
    { colorScheme: "dark", reducedMotion: "reduce" },
  ),
);

test("the page itself is small", { skip }, () => {
  assert.ok(Buffer.byteLength(template()) < 1_500_000);
});
