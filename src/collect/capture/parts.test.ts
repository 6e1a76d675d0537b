import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import test from "node:test";
import type { LiveUpdateDocument } from "../../model/live-update.js";
import { traces } from "../../testing/places.js";
import { type HeldFiles, heldFiles, heldUpdate, withFolder, withText } from "../../testing/samples/held-files.js";

const UPDATE = "5f0c0a9e0d6b4f3c8a1e7d2b9c4f6a10";
const OLD = "2b1f5c3e-7f4e-4a51-9a86-0b9f5d0c1a11";
const NEW = "9c40d6aa-1f0b-4c55-8b6a-6f0e2d3c4b22";
const recorded = await heldFiles(join(traces, "cohorts/base/01.tar.gz"));
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const RECORDED = /^(?:old|new|ring)\//;

/** The capture with all that the recorder states of its parts. */
function stated(files: HeldFiles): HeldFiles {
  const withIds: HeldFiles = {
    ...files,
    "old/ids": bytes(`boot_id=${OLD}\nupdate=${UPDATE}\n`),
    "new/ids": bytes(`boot_id=${NEW}\nupdate=${UPDATE}\n`),
  };
  return withText(withIds, "capture.json", (text) => {
    const manifest = JSON.parse(text) as { boots: Record<string, Record<string, string>> };
    const sha256 = Object.fromEntries(
      Object.entries(withIds)
        .filter(([path]) => RECORDED.test(path))
        .map(([path, held]) => [path, createHash("sha256").update(held).digest("hex")]),
    );
    const part = (bootId: string, readIn: string) => ({ boot_id: bootId, read_in: readIn, update: UPDATE });
    return JSON.stringify({
      ...manifest,
      update: UPDATE,
      boots: { old: { ...manifest.boots.old, boot_id: OLD }, new: { ...manifest.boots.new, boot_id: NEW } },
      parts: { old: part(OLD, OLD), ring: { boot_id: OLD, read_in: NEW }, new: part(NEW, NEW) },
      sha256,
    });
  });
}

const whole = stated(recorded);
const documentOf = (files: HeldFiles): LiveUpdateDocument => heldUpdate(files).update.document;
const found = ({ defects }: LiveUpdateDocument): readonly (readonly string[])[] =>
  defects.filter(({ severity }) => severity !== "note").map(({ code, severity, file }) => [code, severity, file]);

test("a capture whose ids and digests agree is as good as one without", () => {
  const document = documentOf(whole);
  assert.deepEqual(found(document), []);
  assert.equal(document.blackout.durationNs, documentOf(recorded).blackout.durationNs);
});

test("a part whose ids are another update's joins nothing", () => {
  const other = "00000000000000000000000000000000";
  const boot = "00000000-0000-4000-8000-000000000000";
  for (const [path, from, to] of [
    ["old/ids", UPDATE, other],
    ["new/ids", UPDATE, other],
    ["old/ids", OLD, boot],
    ["new/ids", NEW, boot],
    ["new/ids", NEW, OLD],
    ["capture.json", `"ring":{"boot_id":"${OLD}"`, `"ring":{"boot_id":"${boot}"`],
  ] as const) {
    const document = documentOf(withText(whole, path, (text) => text.replace(from, to)));
    assert.equal(document.blackout.durationNs, null, `${path} ${to}`);
    assert.equal(document.clock.method, "none");
    assert.equal(found(document).filter(([code]) => code === "halves-apart").length, 1, `${path} ${to}`);
  }
});

test("a mark of another update in the ring joins nothing", () => {
  const mark = "            sh-1       [000] .....     3.800000: tracing_mark_write: blackout: update=";
  const marked = (id: string): HeldFiles => {
    const { sha256, ...manifest } = JSON.parse(new TextDecoder().decode(whole["capture.json"])) as Record<
      string,
      unknown
    >;
    assert.ok(sha256 !== undefined);
    const files = { ...whole, "capture.json": bytes(JSON.stringify(manifest)) };
    return withText(files, "ring/trace", (text) => text.replace(/\n(?=[^#])/, `\n${mark}${id}\n`));
  };
  assert.equal(documentOf(marked(UPDATE)).clock.method, "clock-pairs");
  const document = documentOf(marked("00000000000000000000000000000000"));
  assert.equal(document.clock.method, "none");
  assert.ok(found(document).some(([code]) => code === "halves-apart"));
});

test("a file that changed, is missing, or was put among the recorder's is named", async () => {
  const changed = documentOf(withText(whole, "new/dmesg", (text) => text.replace("Linux version", "Linux Version")));
  assert.ok(
    found(changed).some(
      ([code, severity, file]) => code === "file-changed" && severity === "error" && file === "new/dmesg",
    ),
  );
  const { "old/saved_cmdlines": _, ...missing } = whole;
  assert.ok(
    found(documentOf(missing)).some(([code, , file]) => code === "file-missing" && file === "old/saved_cmdlines"),
  );
  assert.deepEqual(found(documentOf({ ...whole, "new/extra": bytes("x"), "console.log": bytes("") })), [
    ["file-changed", "warning", "new/extra"],
  ]);
  const other = await heldFiles(join(traces, "cohorts/base/02.tar.gz"));
  const mixed = found(documentOf(withFolder(whole, "ring", other)));
  assert.ok(mixed.some(([code, , file]) => code === "file-changed" && file === "ring/trace"));
});

test("what is not of the stated form counts as absent", () => {
  const odd = withText(recorded, "capture.json", (text) =>
    JSON.stringify({ ...JSON.parse(text), update: 7, parts: [null], sha256: { "old/dmesg": "short", "no/file": 3 } }),
  );
  assert.equal(documentOf(odd).clock.method, "clock-pairs");
});

test("an id or a digest of another form is named, and checks nothing", () => {
  const changed = (change: object): HeldFiles =>
    withText(whole, "capture.json", (text) => JSON.stringify({ ...JSON.parse(text), ...change }));
  for (const [change, keys] of [
    [{ update: 7 }, ["update"]],
    [{ update: "\u001b[31m" }, ["update"]],
    [{ parts: [1, 2] }, ["parts"]],
    [{ parts: { old: 5 } }, ["parts.old"]],
    [{ parts: { old: { boot_id: "x", update: UPDATE } } }, ["parts.old.boot_id"]],
    [{ sha256: 5 }, ["sha256"]],
    [{ sha256: null, parts: null, update: null }, []],
  ] as const) {
    const { defects } = documentOf(changed(change));
    const named = defects.filter(({ code }) => code === "parts-malformed");
    assert.deepEqual(
      named.map(({ message }) => message.split(" ", 1)[0]),
      keys,
      JSON.stringify(change),
    );
  }
});
