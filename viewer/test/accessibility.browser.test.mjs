/** Every page, panel and dialog for users who do not see the canvas, or do not use a mouse. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { dist, drawn, root, skip, useBrowser } from "./browser.mjs";

const { folder, withPage } = useBrowser();
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
let url;
let many;
before(() => {
  if (skip) return;
  const report = (name, ...captures) => {
    const file = join(folder, `${name}.html`);
    const paths = captures.map((capture) => join(root, "traces", capture));
    execFileSync(process.execPath, [join(dist, "cli/main.js"), "report", "-o", file, ...paths], { stdio: "pipe" });
    return pathToFileURL(file).href;
  };
  url = report("plain", "plain.tar.gz");
  many = report("many", ...[1, 2, 3, 4, 5, 6].map((i) => `cohorts/base/0${i}.tar.gz`));
});

/** What axe finds, except minor faults, by rule and place. */
async function faults(page) {
  // Evaluated, not added as an element: the page's policy allows no other script.
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  return violations
    .filter(({ impact }) => impact !== "minor")
    .map(({ id, nodes }) => `${id}: ${nodes.map((node) => `${node.target} ${node.failureSummary}`).join("; ")}`);
}

const PANELS = ["about", "details", "tree", "whatif", "findings", "spans"];

for (const colorScheme of ["light", "dark"]) {
  const options = { colorScheme, reducedMotion: "reduce" };
  const clean = async (page, where) => assert.deepEqual(await faults(page), [], `${where}, ${colorScheme}`);

  test(`one update: axe finds no fault in any panel or dialog, ${colorScheme}`, { skip }, () =>
    withPage(
      url,
      async (page) => {
        for (const panel of PANELS) {
          await page.click(`#tab-${panel}`);
          await drawn(page);
          await clean(page, panel);
        }
        await page.click("[data-phase=kexec]");
        await page.mouse.move(700, 500);
        await page.keyboard.press("m");
        await clean(page, "a mark's note");
        await page.keyboard.press("Escape");
        await clean(page, "marks");
        await page.fill("#search", "e1000");
        await drawn(page);
        await clean(page, "search");
        await page.keyboard.press("Escape");
        await page.keyboard.press("Escape");
        await page.click("#perfetto-open");
        await clean(page, "the Perfetto dialog");
        await Promise.all([page.waitForEvent("download"), page.click("#perfetto-download")]);
        await clean(page, "the Perfetto dialog after");
        await page.keyboard.press("Escape");
        await page.waitForSelector("#perfetto", { state: "hidden" });
        await page.click("#help-toggle");
        await clean(page, "help");
        await page.keyboard.press("Escape");
        await page.setInputFiles("input[type=file]", [{ name: "x", mimeType: "", buffer: Buffer.from("x") }]);
        await page.waitForSelector(".notice.error");
        await clean(page, "a notice");
        await page.setViewportSize({ width: 700, height: 900 });
        await drawn(page);
        await clean(page, "a narrow window");
      },
      options,
    ),
  );

  test(`many and two updates: axe finds no fault, ${colorScheme}`, { skip }, () =>
    withPage(
      many,
      async (page) => {
        await clean(page, "many updates");
        await page.fill("#budget", "5s");
        await page.fill("#filter", "kexec >");
        await page.waitForSelector("#filter[aria-invalid=true]");
        await clean(page, "a filter that is wrong");
        await page.fill("#filter", "kexec > 1s");
        await page.waitForSelector("#filter[aria-invalid=false]");
        await page.click(".legend .chip >> nth=1");
        await drawn(page);
        await clean(page, "a curve hidden");
        await page.click("#page-tab-compare, [data-page=compare]");
        await drawn(page);
        await clean(page, "comparison, nothing chosen");
        await page.selectOption('[data-side="one"]', "0");
        await page.selectOption('[data-side="other"]', "3");
        await page.waitForSelector("#difference-causes");
        await clean(page, "comparison");
      },
      options,
    ),
  );
}

test("the page of a report that cannot be read also has no faults", { skip }, () =>
  withPage(url, async (page) => assert.deepEqual(await faults(page), []), {
    init: () => {
      document.addEventListener("readystatechange", () => {
        const index = document.getElementById("blackout-index");
        if (index !== null) index.textContent = '"!"';
      });
    },
  }),
);

/** Everything that a mouse can press, with a name for each. */
const pressable = () => {
  const known = (element) =>
    `${element.tagName.toLowerCase()}${element.id ? `#${element.id}` : ""}.${element.className} ${(element.getAttribute("aria-label") ?? element.textContent).slice(0, 30)}`;
  const shown = (element) => element.checkVisibility({ visibilityProperty: true }) && !element.closest("[aria-hidden]");
  window.nameOf = known;
  return (
    [...document.querySelectorAll("button, a[href], input, select, textarea, summary, .timeline")]
      .filter((element) => shown(element) && !element.disabled)
      // Groups such as tabs are one stop; arrows move within them.
      .filter((element) => element.tabIndex >= 0)
      .map(known)
  );
};

async function walk(page) {
  const wanted = await page.evaluate(pressable);
  await page.evaluate(() => document.activeElement?.blur());
  const reached = [];
  for (let i = 0; i < wanted.length + 30; i++) {
    await page.keyboard.press("Tab");
    const found = await page.evaluate(() => {
      const at = document.activeElement;
      if (at === null || at === document.body) return null;
      const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(at);
      const seen = (outlineStyle !== "none" && parseFloat(outlineWidth) > 0) || boxShadow !== "none";
      const { top, bottom } = at.getBoundingClientRect();
      return { name: window.nameOf(at), seen, inSight: bottom > 0 && top < innerHeight };
    });
    // After the last comes the browser's own bar, then the first.
    if (found !== null) reached.push(found);
  }
  const names = new Set(reached.map(({ name }) => name));
  assert.deepEqual(
    wanted.filter((name) => !names.has(name)),
    [],
    "reached by Tab",
  );
  assert.deepEqual(
    reached.filter(({ seen }) => !seen).map(({ name }) => name),
    [],
    "and shows that it has the focus",
  );
  assert.deepEqual(
    reached.filter(({ inSight }) => !inSight).map(({ name }) => name),
    [],
    "and is in sight",
  );
  return reached.length;
}

test("Tab reaches everything that can be pressed, and the focus is visible", { skip }, async () => {
  await withPage(url, async (page) => {
    for (const panel of PANELS) {
      await page.click(`#tab-${panel}`);
      await drawn(page);
      assert.ok((await walk(page)) > 20, panel);
    }
  });
  await withPage(many, async (page) => {
    await walk(page);
    await page.click("[data-page=compare]");
    await page.selectOption('[data-side="one"]', "0");
    await page.selectOption('[data-side="other"]', "3");
    await page.waitForSelector("#difference-causes");
    await walk(page);
  });
});

test("the keyboard alone leads from the list of updates to a finding's span, and back", { skip }, () =>
  withPage(many, async (page) => {
    const focused = () => page.evaluate(() => document.activeElement?.className);
    for (let i = 0; i < 60 && (await focused()) !== "row-button"; i++) await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await page.waitForSelector('#lanes[data-opened="0"] .timeline');
    await page.focus("#tab-about");
    for (const panel of PANELS.slice(1, 5)) {
      await page.keyboard.press("ArrowRight");
      await page.waitForFunction((id) => document.activeElement?.id === id, `tab-${panel}`);
    }
    await page.keyboard.press("Tab");
    for (let i = 0; i < 5 && (await page.evaluate(() => document.activeElement?.tagName)) !== "BUTTON"; i++)
      await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await drawn(page);
    await page.waitForFunction(() => location.hash.includes("select=node"));
    assert.match(page.url(), /view=/, "and fitted");
    // Help lists every key, keeps the focus inside, and returns it.
    const before = await page.evaluate(() => document.activeElement?.id);
    await page.keyboard.press("?");
    await page.waitForFunction(() => document.querySelector("#help[open]")?.contains(document.activeElement));
    await page.keyboard.press("Escape");
    await page.waitForFunction((id) => document.activeElement?.id === id, before);
  }),
);

test("reduced motion: nothing moves by itself", { skip }, () =>
  withPage(
    many,
    async (page) => {
      const moving = () =>
        page.evaluate(() => {
          const times = (text) => text.split(",").some((part) => parseFloat(part) > 0);
          return [...document.querySelectorAll("*")]
            .filter((element) => {
              const { transitionDuration, animationDuration, animationName, scrollBehavior } =
                getComputedStyle(element);
              return (
                times(transitionDuration) ||
                (animationName !== "none" && times(animationDuration)) ||
                scrollBehavior === "smooth"
              );
            })
            .map((element) => element.tagName + element.className);
        });
      assert.deepEqual(await moving(), []);
      await page.click("#updates tbody tr >> nth=0");
      await page.waitForSelector(".page:not([hidden]) .timeline");
      assert.deepEqual(await moving(), []);
    },
    { reducedMotion: "reduce" },
  ),
);
