import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { openBrowser, redirectPage } from "./browser.js";

const folder = mkdtempSync(join(tmpdir(), "blackout-browser-"));
after(() => rmSync(folder, { recursive: true, force: true }));

test("the address never stands in a process list: the browser is given a page that only its user can read", async () => {
  const xdgOpen = join(folder, "xdg-open");
  const seen = join(folder, "arguments");
  writeFileSync(xdgOpen, `#!/bin/sh\nprintf '%s\\n' "$@" > '${seen}.new'\nmv '${seen}.new' '${seen}'\n`);
  chmodSync(xdgOpen, 0o755);
  const { PATH = "" } = process.env;
  process.env.PATH = `${folder}:${PATH}`;
  try {
    const url = "http://127.0.0.1:9797/a-secret-token/";
    const browser = await openBrowser(url, "linux");
    assert.equal(browser.started, true);
    for (let tries = 0; tries < 200 && !existsSync(seen); tries += 1) await pause(20);
    const page = readFileSync(seen, "utf8").trimEnd();
    assert.ok(!page.includes("secret-token"));
    assert.equal(statSync(page).mode & 0o777, 0o600);
    assert.equal(statSync(dirname(page)).mode & 0o777, 0o700);
    assert.ok(readFileSync(page, "utf8").includes(`url=${url}"`));
    browser.close();
    assert.equal(existsSync(dirname(page)), false);
  } finally {
    process.env.PATH = PATH;
  }
});

test("no browser: reported, and no page stays", async () => {
  const { PATH = "" } = process.env;
  process.env.PATH = join(folder, "empty");
  try {
    assert.equal((await openBrowser("http://127.0.0.1:1/x/", "linux")).started, false);
  } finally {
    process.env.PATH = PATH;
  }
});

test("an address cannot end the attribute that it stands in", () => {
  assert.ok(!redirectPage('http://x/"><script>').includes("<script>"));
});
