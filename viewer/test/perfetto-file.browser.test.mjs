/** Traces dropped on the page, and the trace that a report makes of itself, from file://. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { deflateRawSync, gzipSync, inflateRawSync } from "node:zlib";
import { dist, drawn, picture, root, skip, useBrowser } from "./browser.mjs";
import { viewerModules } from "./bundle.mjs";

const { folder, withPage } = useBrowser();
const plain = join(root, "traces/plain.tar.gz");
const file = (name) => join(folder, name);
const cli = (...args) => execFileSync(process.execPath, [join(dist, "cli/main.js"), ...args], { stdio: "ignore" });
let url;
let trace;
let foreign;
before(() => {
  if (skip) return;
  cli("report", "-o", file("plain.html"), plain);
  url = pathToFileURL(file("plain.html")).href;
  cli("perfetto", "-o", file("plain.pftrace"), plain);
  trace = readFileSync(file("plain.pftrace"));
  cli("convert", "-o", file("events.pftrace"), file("plain.pftrace"));
  foreign = readFileSync(file("events.pftrace"));
});

/** Key and length of the first packet that carries, and of the field in it: 47617 * 8 + 2 as a varint. */
const CARRIED = Buffer.from([0x8a, 0xa0, 0x17]);
const varint = (value) => {
  const bytes = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Buffer.from([...bytes, rest]);
    bytes.push((rest % 128) | 128);
  }
};
const carrying = (packed) => {
  const field = Buffer.concat([CARRIED, varint(packed.length), packed]);
  return Buffer.concat([Buffer.from([0x0a]), varint(field.length), field]);
};
const drop = (page, ...files) =>
  page.setInputFiles(
    "input[type=file]",
    files.map(([name, buffer]) => ({ name, mimeType: "", buffer })),
  );

test("a trace of ours is opened whole: the picture is the report's own", { skip }, () =>
  withPage(url, async (page) => {
    await drawn(page);
    const own = await picture(page);
    const account = await page.textContent("#summary");
    await drop(page, ["plain.pftrace", trace], ["again.pftrace.gz", gzipSync(trace)]);
    await page.waitForFunction(() => document.querySelectorAll("#updates tbody tr[data-update]").length === 3);
    await page.click("#updates tbody tr[data-update] >> nth=2");
    await page.waitForSelector('#lanes[data-opened="2"] .timeline');
    await drawn(page);
    assert.equal(await page.textContent("#summary"), account);
    assert.equal(await picture(page), own);
    assert.equal(await page.locator("#notices button").count(), 0);
  }),
);

test("a trace that cannot be opened is named, with what is wrong and what to do", { skip }, () =>
  withPage(url, async (page) => {
    const at = trace.indexOf(CARRIED);
    assert.ok(at > 0 && at < 4096, "the update is near the beginning");
    const damaged = Buffer.from(trace);
    damaged.fill(0xff, at + 2000, at + 2064);
    const huge = Buffer.concat([Buffer.from([0x0a]), varint(2 ** 34), Buffer.alloc(64)]);
    const bomb = carrying(deflateRawSync(Buffer.alloc(520 << 20), { level: 1 }));
    await drop(
      page,
      ["foreign.pftrace", foreign],
      ["cut.pftrace", trace.subarray(0, at + 3000)],
      ["damaged.pftrace", damaged],
      ["huge.pftrace", huge],
      ["text.pftrace", Buffer.from("\nhello, this is no trace at all")],
      ["wrong.pftrace", carrying(deflateRawSync(Buffer.from("BLKX, and nothing more")))],
      ["bomb.pftrace", bomb],
    );
    await page.waitForFunction(() => document.querySelectorAll("#notices > *").length === 7, null, { timeout: 60_000 });
    const notices = await page.textContent("#notices");
    for (const part of [
      /foreign\.pftrace: it is a Perfetto trace without an analysed live update.*blackout perfetto CAPTURE/,
      /cut\.pftrace: the trace ends early.*copy it again/,
      /damaged\.pftrace: the live update in the trace is damaged|damaged\.pftrace: it is a trace of blackout, but/,
      /huge\.pftrace: it is a Perfetto trace without/,
      /text\.pftrace: it is not a blackout report/,
      /wrong\.pftrace: it is a trace of blackout, but a live update in the report does not begin with BLKU/,
      /bomb\.pftrace: the live update in the trace unpacks to more/,
    ]) {
      assert.match(notices, part);
    }
    assert.equal(
      await page.locator("#page-timeline:not([hidden]) .timeline").count(),
      1,
      "and the open update stays open",
    );
  }),
);

test("the button explains itself and downloads a trace that Perfetto and the viewer read", { skip }, async () => {
  const { updateInTrace } = await viewerModules("data/perfetto-file");
  await withPage(url, async (page) => {
    await page.click("#perfetto-open");
    assert.match(await page.textContent("#perfetto"), /may not pass data to another page.*blackout open CAPTURE/s);
    const [download] = await Promise.all([page.waitForEvent("download"), page.click("#perfetto-download")]);
    assert.equal(download.suggestedFilename(), "plain.pftrace");
    const made = readFileSync(await download.path());
    const read = await updateInTrace(new Blob([made]).stream());
    const whole = await updateInTrace(new Blob([trace]).stream());
    assert.equal(read.value.spans.count, whole.value.spans.count);
    assert.equal(read.value.document.capture.name, "plain");
    const text = made.toString("latin1");
    for (const track of ["Phases", "Where it went", "Critical chain", "Devices over the kexec"])
      assert.ok(text.includes(track), track);
    // Redacted as the report is: the same capture's own trace has these.
    const unpacked = inflateRawSync(Buffer.concat(pieces(made))).toString("latin1");
    for (const held of [text, unpacked])
      assert.doesNotMatch(held, /(?<![0-9a-z])(?!f{13})ffff[0-9a-f]{12}(?![0-9a-z])/);
    assert.match(
      await page.textContent("#perfetto-status"),
      /plain\.pftrace has [\d.]+ MB\. Drop it on ui\.perfetto\.dev/,
    );
  });
});

/** The carried bytes, found without the reader: packets of one field follow one another. */
function pieces(bytes) {
  const found = [];
  for (let at = bytes.indexOf(CARRIED); at >= 0; at = bytes.indexOf(CARRIED, at)) {
    let size = 0;
    at += CARRIED.length;
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at++];
      size += (byte & 127) * scale;
      if (byte < 128) break;
    }
    found.push(bytes.subarray(at, at + size));
    at += size;
  }
  return found;
}
