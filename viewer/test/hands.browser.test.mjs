/** Every key and gesture that the help lists, on a shipped capture, from file://. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { inflateRawSync } from "node:zlib";
import { dist, drawn, picture, root, skip, useBrowser } from "./browser.mjs";
import { viewerModules } from "./bundle.mjs";

const { folder, withPage, withReport } = useBrowser();
const { KEYS } = await viewerModules("interaction/keys");
let url;
before(() => {
  if (skip) return;
  const report = (name, ...captures) => {
    const file = join(folder, `${name}.html`);
    const paths = captures.map((capture) => join(root, "traces", capture));
    execFileSync(process.execPath, [join(dist, "cli/main.js"), "report", "-o", file, ...paths], { stdio: "pipe" });
    return pathToFileURL(file).href;
  };
  url = report("plain", "plain.tar.gz");
});

/** The value of `name` in the link, once the address has caught up with the state. */
const link = async (page, name) => {
  await drawn(page);
  await page.waitForSelector("html[data-address=current]", { state: "attached" });
  return new URLSearchParams((await page.evaluate(() => location.hash)).slice(1)).get(name);
};
/** The view of the first axis as the link has it, [begin, end]; null at home. */
const viewOf = async (page) => {
  const view = await link(page, "view");
  return view === null ? null : view.split(",").map(Number);
};
const PLOT_LEFT = 188;

async function timelineBox(page) {
  return page.locator(".timeline").first().boundingBox();
}

test("W and S zoom at the pointer, A and D pan, 0 resets", { skip }, () =>
  withPage(url, async (page) => {
    const box = await timelineBox(page);
    await page.mouse.move(box.x + 700, box.y + 300);
    await page.keyboard.press("KeyW");
    const closer = await viewOf(page);
    const width = closer[1] - closer[0];
    await page.keyboard.press("KeyW");
    const closest = await viewOf(page);
    assert.ok(closest[1] - closest[0] < width);
    // What is under the pointer stays under it.
    const share = (700 - PLOT_LEFT) / (box.width - PLOT_LEFT);
    const under = (view) => view[0] + share * (view[1] - view[0]);
    assert.ok(Math.abs(under(closer) - under(closest)) < (width / box.width) * 8, "the pointer's instant stays");
    await page.keyboard.press("KeyS");
    const back = await viewOf(page);
    assert.ok(Math.abs(back[1] - back[0] - width) < 2);
    await page.keyboard.press("KeyD");
    const right = await viewOf(page);
    assert.ok(right[0] > back[0] && Math.abs(right[1] - right[0] - width) < 2);
    await page.keyboard.press("KeyA");
    assert.ok(Math.abs((await viewOf(page))[0] - back[0]) < 2);
    await page.keyboard.press("Digit0");
    assert.equal(await viewOf(page), null);
  }),
);

test("ctrl-wheel zooms, shift-wheel pans, the wheel over the head zooms and over lanes scrolls", { skip }, () =>
  withPage(url, async (page) => {
    const box = await timelineBox(page);
    await page.mouse.move(box.x + 700, box.y + 400);
    const scrolled = () => page.evaluate(() => document.querySelector(".timeline").scrollTop);
    await page.mouse.wheel(0, 200);
    await page.waitForFunction(() => document.querySelector(".timeline").scrollTop > 0);
    assert.equal(await viewOf(page), null, "scrolling does not zoom");
    await page.keyboard.down("Control");
    await page.mouse.wheel(0, -300);
    await page.keyboard.up("Control");
    const zoomed = await viewOf(page);
    assert.notEqual(zoomed, null);
    const top = await scrolled();
    await page.keyboard.down("Shift");
    await page.mouse.wheel(0, 200);
    await page.keyboard.up("Shift");
    const panned = await viewOf(page);
    assert.ok(panned[0] > zoomed[0]);
    assert.equal(await scrolled(), top, "panning does not scroll");
    await page.mouse.move(box.x + 700, box.y + 70);
    await page.mouse.wheel(0, -300);
    const closer = await viewOf(page);
    assert.ok(closer[1] - closer[0] < panned[1] - panned[0]);
  }),
);

test("a drag measures a range; its shares sum to it exactly; F fits it; Esc clears it", { skip }, () =>
  withPage(url, async (page) => {
    const box = await timelineBox(page);
    await page.mouse.move(box.x + 300, box.y + 300);
    await page.mouse.down();
    await page.mouse.move(box.x + 800, box.y + 320, { steps: 5 });
    await page.mouse.up();
    await drawn(page);
    const whole = Number(await page.getAttribute("[data-range-ns]", "data-range-ns"));
    assert.ok(whole > 0);
    const shares = await page.$$eval("#range-shares [data-ns]", (cells) =>
      cells.map((cell) => Number(cell.dataset.ns)),
    );
    assert.equal(
      shares.reduce((sum, ns) => sum + ns, 0),
      whole,
    );
    const text = await page.textContent("#details");
    for (const part of ["Top causes", "Sums by kind", "seam", "initcall"]) assert.ok(text.includes(part), part);
    await page.keyboard.press("f");
    const [begin, end] = await viewOf(page);
    const [, from, to] = (await link(page, "range")).split(",").map(Number);
    assert.ok(begin < from && end > to && end - begin < (to - from) * 1.3);
    await page.keyboard.press("Escape");
    assert.equal(await link(page, "range"), null);
  }),
);

test("shift-drag pans, the minimap moves the window, a double click fits", { skip }, () =>
  withPage(url, async (page) => {
    const box = await timelineBox(page);
    await page.mouse.move(box.x + 700, box.y + 300);
    await page.keyboard.press("KeyW");
    await page.keyboard.press("KeyW");
    const before = await viewOf(page);
    await page.keyboard.down("Shift");
    await page.mouse.down();
    await page.mouse.move(box.x + 600, box.y + 300, { steps: 4 });
    await page.mouse.up();
    await page.keyboard.up("Shift");
    const panned = await viewOf(page);
    assert.ok(panned[0] > before[0]);
    assert.equal(await link(page, "range"), null);
    await page.mouse.click(box.x + PLOT_LEFT + (box.width - PLOT_LEFT) * 0.5, box.y + 20);
    assert.notEqual((await viewOf(page))[0], panned[0]);
    await page.keyboard.press("0");
    await page.mouse.dblclick(box.x + 450, box.y + 73);
    await drawn(page);
    assert.match(await page.textContent("#details h3"), /kexec/);
    assert.notEqual(await viewOf(page), null, "the phase is fitted");
    await page.mouse.dblclick(box.x + PLOT_LEFT + 4, box.y + 112);
    assert.equal(await viewOf(page), null, "beside all spans: home");
  }),
);

test("/ searches, Enter and shift-Enter walk, . and , go to neighbours", { skip }, () =>
  withPage(url, async (page) => {
    await page.keyboard.press("/");
    await page.keyboard.type("e1000");
    await page.waitForFunction(() => /found/.test(document.querySelector("#search-count").textContent));
    const found = Number((await page.textContent("#search-count")).replace(/\D/g, ""));
    assert.ok(found > 2);
    const seen = [];
    for (let i = 0; i < 3; i++) {
      await page.keyboard.press("Enter");
      await drawn(page);
      assert.match((await page.textContent("#details")).toLowerCase(), /e1000/);
      seen.push(await link(page, "select"));
    }
    assert.equal(new Set(seen).size, 3);
    await page.keyboard.press("Shift+Enter");
    assert.equal(await link(page, "select"), seen[1]);
    await page.keyboard.press("Escape");
    assert.equal(await link(page, "find"), null);
    await page.keyboard.press("/");
    await page.keyboard.type("initcall:");
    await page.keyboard.press("Enter");
    await page.keyboard.press("Escape");
    const first = await link(page, "select");
    await page.keyboard.press(".");
    const next = await link(page, "select");
    assert.notEqual(next, first);
    await page.keyboard.press(",");
    assert.equal(await link(page, "select"), first);
  }),
);

test("[ and ] follow a session's file over the kexec and back", { skip }, () =>
  withPage(url, async (page) => {
    await page.keyboard.press("/");
    await page.keyboard.type("file:0x100");
    await page.keyboard.press("Enter");
    await page.keyboard.press("Escape");
    const kernel = async () => {
      await drawn(page);
      return /Kernel(old|new)/.exec(await page.textContent("#details"))?.[1];
    };
    assert.equal(await kernel(), "old");
    const start = await link(page, "select");
    let steps = 0;
    while ((await kernel()) === "old" && steps++ < 10) await page.keyboard.press("]");
    assert.equal(await kernel(), "new");
    for (let i = 0; i < steps; i++) await page.keyboard.press("[");
    assert.equal(await link(page, "select"), start);
  }),
);

test("M marks with a note; distances between marks are shown; a link restores all of it", { skip }, () =>
  withPage(url, async (page) => {
    const box = await timelineBox(page);
    await page.mouse.move(box.x + 500, box.y + 300);
    await page.keyboard.press("m");
    await page.waitForSelector(".note-field:focus");
    await page.keyboard.type("first, <b>w</b>");
    await page.keyboard.press("Enter");
    await page.mouse.move(box.x + 800, box.y + 300);
    await page.keyboard.press("m");
    await page.waitForSelector(".note-field:focus");
    await page.keyboard.press("Escape");
    await drawn(page);
    const apart = Number(await page.getAttribute(".mark-apart", "data-ns"));
    const [first, second] = (await link(page, "marks")).split(";").map((part) => Number(part.split(",")[1]));
    assert.equal(apart, second - first);
    await page.keyboard.press("KeyW");
    await page.click("[data-phase=restore]");
    await page.click("#theme-toggle");
    await drawn(page);
    await link(page, "theme");
    const address = page.url();
    await page.goto("about:blank");
    await page.goto(address);
    await page.waitForSelector(".timeline");
    await drawn(page);
    assert.equal(await page.getAttribute("html", "data-theme"), "dark");
    assert.match(await page.textContent("#details h3"), /restore/);
    assert.equal(await page.inputValue('[data-mark="0"]'), "first, <b>w</b>");
    await link(page, "marks");
    assert.equal(page.url(), address);
  }),
);

test("a link that is edited in the address is followed, and nonsense in it is ignored", { skip }, () =>
  withPage(`${url}#view=9,1&select=span,1e99&range=x&marks=,;;1,,a&theme=purple&fold=nothing`, async (page) => {
    assert.equal(await viewOf(page), null);
    await page.evaluate(() => {
      location.hash = "view=0,1000000000&select=phase,2";
    });
    await page.waitForFunction(() => /kexec/.test(document.querySelector("#details h3")?.textContent ?? ""));
    assert.deepEqual(await viewOf(page), [0, 1e9]);
  }),
);

test("T shows the drawing as a table, which follows the view and can select", { skip }, () =>
  withPage(url, async (page) => {
    await page.keyboard.press("t");
    await page.waitForSelector("#panel table.spans");
    const all = await page.textContent("#panel caption");
    await page.click("#panel table.spans .row-button >> nth=2");
    await drawn(page);
    assert.ok((await link(page, "select")).startsWith("span,"));
    await page.keyboard.press("f");
    await page.waitForFunction((text) => document.querySelector("#panel caption").textContent !== text, all);
    assert.match(await page.textContent("#panel caption"), /spans? in view/);
  }),
);

test("the tree unfolds to causes, every level adds up, a node leads to its record", { skip }, () =>
  withPage(url, async (page) => {
    await page.click("#tab-tree");
    await page.waitForSelector(".tree tr");
    const rows = () =>
      page.$$eval(".tree tr", (all) =>
        all.map((row) => ({
          level: parseFloat(row.querySelector("th").style.paddingLeft),
          ns: Number((row.querySelector("td")?.title ?? "0").replace(/[^0-9]/g, "")),
        })),
      );
    const [whole, ...phases] = await rows();
    assert.equal(
      phases.reduce((sum, { ns }) => sum + ns, 0),
      whole.ns,
    );
    await page.click('[aria-label="Unfold kexec"]');
    await page.waitForSelector('[aria-label="Fold kexec"]');
    assert.ok((await rows()).length > phases.length + 5);
    await page.click(".tree [data-node] .row-button >> nth=4");
    await drawn(page);
    assert.ok((await link(page, "select")).startsWith("node,"));
    await page.keyboard.press("f");
    assert.notEqual(await viewOf(page), null);
    const box = await timelineBox(page);
    await page.keyboard.press("0");
    await page.mouse.click(box.x + PLOT_LEFT + 55, box.y + 110 + 23 + 4 + 17 + 4 + 8);
    await drawn(page);
    assert.match(await page.textContent("#details .detail-kind"), /device/);
    await page.click('#details button:has-text("Its record")');
    assert.ok((await link(page, "select")).startsWith("span,"));
  }),
);

test("a slider on a cause redraws the estimate at once, as on the command line", { skip }, () =>
  withPage(url, async (page) => {
    await page.click("#tab-whatif");
    const ns = async () => Number(await page.getAttribute(".what-if-figure", "data-ns"));
    const before = await ns();
    await page.fill('[data-selector="device:0000:00:03.0"]', "0");
    await drawn(page);
    const without = await ns();
    assert.ok(without < before - 500e6, "e1000 took 186 ms to shut down and 477 ms to probe");
    await page.fill('[data-selector="device:0000:00:03.0"]', "100");
    await drawn(page);
    assert.equal(await ns(), before);
  }),
);

test("C shows only the critical path", { skip }, () =>
  withPage(url, async (page) => {
    const before = await picture(page);
    await page.keyboard.press("c");
    await drawn(page);
    assert.notEqual(await picture(page), before);
    assert.equal(await link(page, "chain"), "1");
    await page.keyboard.press("c");
    await drawn(page);
    assert.equal(await picture(page), before);
  }),
);

test("the picture and the view can be saved and copied", { skip }, () =>
  withPage(url, async (page) => {
    await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
    const choose = async (label) => {
      await page.click("#share summary");
      await page.click(`.menu-item:has-text("${label}")`);
    };
    await page.click("[data-phase=kexec]");
    await choose("Copy link");
    await page.waitForSelector(".notice");
    assert.match(await page.evaluate(() => navigator.clipboard.readText()), /^file:.*#.*select=phase%2C2/);
    await choose("Copy as JSON");
    await page.waitForFunction(() => /JSON/.test(document.querySelector(".notice")?.textContent ?? ""));
    const view = JSON.parse(await page.evaluate(() => navigator.clipboard.readText()));
    assert.equal(view.format, "blackout-view");
    assert.equal(view.selection.name, "kexec");
    for (const [label, start] of [
      ["Save PNG", Buffer.from([0x89, 0x50, 0x4e, 0x47])],
      ["Save SVG", Buffer.from("<svg xmlns")],
    ]) {
      const waiting = page.waitForEvent("download");
      await choose(label);
      const file = await (await waiting).path();
      const bytes = readFileSync(file);
      assert.ok(bytes.subarray(0, start.length).equals(start), label);
      if (label === "Save SVG") {
        const text = bytes.toString("utf8");
        for (const part of ["kexec", "level device", "Kernel log", "seam"]) assert.ok(text.includes(part), part);
        const error = await page.evaluate(
          (xml) => new DOMParser().parseFromString(xml, "image/svg+xml").querySelector("parsererror")?.textContent,
          text,
        );
        assert.equal(error, undefined);
      }
    }
  }),
);

test("the help lists every key, and Escape closes it", { skip }, () =>
  withPage(url, async (page) => {
    await page.keyboard.press("?");
    await page.waitForSelector("#help[open]");
    const text = await page.textContent("#help");
    for (const [, meaning] of KEYS) assert.ok(text.includes(meaning), meaning);
    await page.keyboard.press("Escape");
    await drawn(page);
    assert.ok(await page.isHidden("#help"));
  }),
);

test("the keyboard alone reaches everything, and nothing traps it", { skip }, () =>
  withPage(url, async (page) => {
    const reached = new Set();
    for (let i = 0; i < 60; i++) {
      await page.keyboard.press("Tab");
      reached.add(
        await page.evaluate(() => {
          const at = document.activeElement;
          return at?.id || at?.className || at?.tagName;
        }),
      );
    }
    for (const wanted of ["search", "theme-toggle", "help-toggle", "timeline", "row-button", "chip", "tab-about"]) {
      assert.ok(reached.has(wanted), `${wanted} among ${[...reached].join(", ")}`);
    }
  }),
);

test("a very large update is drawn at once, names what it leaves out, and builds it on request", { skip }, async () => {
  const { decodeLiveUpdate } = await import(join(dist, "report/update-codec.js"));
  const { SPAN_KINDS } = await import(join(dist, "model/span-table.js"));
  const { enlarged } = await import(join(root, "bench/viewer/synthetic.mjs"));
  const coded = /id="blackout-update-0"[^>]*>"([^"]*)"/.exec(readFileSync(new URL(url), "utf8"))[1];
  const { value } = decodeLiveUpdate(inflateRawSync(Buffer.from(coded, "base64")));
  const large = { ...value, ...enlarged(value, 400_001, SPAN_KINDS) };
  await withReport([large], async (page) => {
    const groups = () => page.$$eval("#groups .chip", (all) => all.map((chip) => chip.firstChild.textContent));
    assert.match(await page.textContent("#summary"), /Not shown yet: accounts.*For 400,001 spans/s);
    assert.ok((await groups()).includes("Interrupt silence"), "everything cheap is there");
    await page.click("#tab-tree");
    await page.waitForFunction(() => /Not shown yet/.test(document.querySelector("#details").textContent));
    const bands = () => page.textContent("#groups .chip:first-child .chip-count");
    const before = await bands();
    await page.click("#summary .build-button");
    await page.waitForSelector("#details .tree", { timeout: 60_000 });
    assert.equal(await page.locator(".not-built").count(), 0);
    assert.notEqual(await bands(), before, "the accounts are drawn");
    assert.ok(await page.isVisible("#tab-findings"));
  });
});
