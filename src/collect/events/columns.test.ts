import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { TextColumn } from "./columns.js";

test("property: a column of texts is as an array of them, and keeps equal ones once", () => {
  const text = fc.constantFrom("", "task", "state=S", "état", "__proto__");
  fc.assert(
    fc.property(fc.array(text, { maxLength: 50 }), fc.array(fc.tuple(fc.nat({ max: 60 }), text)), (rows, changes) => {
      const column = new TextColumn();
      const expected = [...rows];
      for (const each of rows) column.push(each);
      for (const [row, each] of changes) {
        column.set(row, each);
        if (row < expected.length) expected[row] = each;
      }
      assert.equal(column.length, rows.length);
      for (let row = 0; row < rows.length + 2; row++) assert.equal(column.at(row), expected[row]);
    }),
  );
});
