/** Takes the README's picture: the report of traces/plain.tar.gz in Chromium. Build first. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";
import { inProject } from "./lib/project.mjs";
import { main, runNode } from "./lib/step.mjs";

async function picture() {
  const folder = mkdtempSync(join(tmpdir(), "blackout-picture-"));
  try {
    const report = join(folder, "report.html");
    await runNode(["dist/cli/main.js", "report", "traces/plain.tar.gz", "-o", report]);
    const browser = await chromium.launch({
      executablePath: "/usr/bin/chromium",
      args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
    });
    const page = await browser.newPage({ viewport: { width: 1400, height: 900 }, colorScheme: "light" });
    await page.goto(pathToFileURL(report).href);
    await page.waitForTimeout(1_000);
    await page.screenshot({ path: inProject("docs/images/report.png") });
    await browser.close();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

await main(import.meta, picture);
