import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { ObserverLine } from "./observer.js";

test("a mark is placed by the handshake that the guest names", () => {
  let answers = 0;
  const line = new ObserverLine(() => {
    answers += 1;
  });
  line.take("?", 1_000n);
  line.take("?", 2_000n);
  line.take("P 1 5", 9_000n);
  line.take("00 40 7000\n?", 10_000n);
  line.take("R 0 -300 60 8000\n", 99_000n);
  assert.equal(answers, 3);
  assert.deepEqual(line.observation("host"), { pausedNs: 2_500n, resumedNs: 9_700n, uncertaintyNs: 100n });
  assert.deepEqual(line.observation("guest"), { pausedNs: 7_000n, resumedNs: 8_000n, uncertaintyNs: 0n });
});

test("without a handshake a mark is when its byte came, with unknown uncertainty", () => {
  const line = new ObserverLine(() => {});
  line.take("P\n", 5n);
  line.take("?", 6n);
  line.take("R 7 0 0 9\n", 8n);
  assert.deepEqual(line.observation("host"), { pausedNs: 5n, resumedNs: 8n, uncertaintyNs: null });
  assert.deepEqual(line.observation("guest"), { pausedNs: null, resumedNs: 9n, uncertaintyNs: null });
});

test("any bytes are survived", () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: fc.constantFrom(..."?PR 0-9\n!x") })), (chunks) => {
      const line = new ObserverLine(() => {});
      for (const chunk of chunks) line.take(chunk, 1n);
      const { uncertaintyNs, pausedNs } = line.observation("host");
      assert.ok(uncertaintyNs === null || pausedNs !== null);
    }),
  );
});
