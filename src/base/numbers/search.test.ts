import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { firstIndexWhere } from "./search.js";

test("property: as a walk from the front finds it", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 20 })), fc.integer({ min: -1, max: 21 }), (items, from) => {
      const list = items.sort((a, b) => a - b);
      const walked = list.findIndex((item) => item >= from);
      assert.equal(
        firstIndexWhere(list, (item) => item >= from),
        walked < 0 ? list.length : walked,
      );
    }),
  );
});
