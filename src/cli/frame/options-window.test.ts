import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { windowText } from "../../base/text/window.js";
import { parseSize, parseWindow, sizeText } from "./options-window.js";

test("windows are whole seconds with a unit", () => {
  const given = ["45s", "90min", "90m", "36h", "7d", "2w"];
  assert.deepEqual(given.map(parseWindow), [45, 5_400, 5_400, 129_600, 604_800, 1_209_600]);
  for (const wrong of ["", "7", "d", "0d", "-1d", "1.5h", "7 d", "7days", "4000d", "99999999999s"]) {
    assert.equal(parseWindow(wrong), null, wrong);
  }
});

test("what is printed of a window may be typed", () => {
  fc.assert(fc.property(fc.integer({ min: 1, max: 316_224_000 }), (s) => assert.equal(parseWindow(windowText(s)), s)));
});

test("sizes are binary, and what is printed of one may be typed", () => {
  assert.deepEqual(["64KiB", "512MiB", "2GiB", "2 GiB"].map(parseSize), [65_536, 536_870_912, 2 ** 31, 2 ** 31]);
  for (const wrong of ["", "5", "5MB", "0MiB", "-1MiB", "1.5GiB", "1024GiB"])
    assert.equal(parseSize(wrong), null, wrong);
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 29 }), (kib) =>
      assert.equal(parseSize(sizeText(kib * 1024)), kib * 1024),
    ),
  );
});
