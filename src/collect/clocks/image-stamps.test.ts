import assert from "node:assert/strict";
import test from "node:test";
import type { ClockLink } from "../../model/collected.js";
import { placeImageStamps } from "./image-stamps.js";

const link = { method: "x86-tsc", joint: true, uncertaintyNs: 50 } as ClockLink;
const clocks = { tscAxisNs: (count: bigint): number => Number(count) * 10, link };
const extents = { old: { firstNs: 0, lastNs: 1_000 }, new: { firstNs: 9_000, lastNs: 20_000 } };
const stamps = (entry: bigint | null, exit: bigint | null) => ({ file: "boot_params", entry, exit });

test("stamps inside the seam are placed, each by itself", () => {
  assert.deepEqual(placeImageStamps(stamps(200n, 800n), clocks, extents).placed, { entryNs: 2_000, exitNs: 8_000 });
  assert.deepEqual(placeImageStamps(stamps(null, 800n), clocks, extents).placed, { entryNs: null, exitNs: 8_000 });
  assert.equal(placeImageStamps(null, clocks, extents).placed, null);
});

test("a stamp outside the seam by more than the link's ± is a defect, and no stamp is used", () => {
  for (const [entry, exit, reason] of [
    [94n, 800n, /Stamp 1 lies .* before the old kernel's last event/],
    [200n, 906n, /Stamp 2 lies .* after the new kernel's first event/],
    [800n, 200n, /Stamp 2 does not lie after stamp 1/],
    [800n, 800n, /Stamp 2 does not lie after stamp 1/],
  ] as const) {
    const { placed, defect } = placeImageStamps(stamps(entry, exit), clocks, extents);
    assert.equal(placed, null);
    assert.deepEqual([defect?.code, defect?.severity], ["stamp-outside-seam", "error"]);
    assert.match(defect?.message ?? "", reason);
  }
  assert.equal(placeImageStamps(stamps(96n, 904n), clocks, extents).defect, null);
});

test("without a joint axis of the TSC nothing is placed, and nothing reported", () => {
  const none = { placed: null, defect: null };
  assert.deepEqual(placeImageStamps(stamps(1n, 2n), { ...clocks, tscAxisNs: null }, extents), none);
  assert.deepEqual(placeImageStamps(stamps(1n, 2n), { ...clocks, link: { ...link, joint: false } }, extents), none);
});
