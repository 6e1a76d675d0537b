import assert from "node:assert/strict";
import { test } from "node:test";
import {
  block,
  call,
  leave,
  leaveIf,
  loop,
  op,
  wasmExports,
  wasmFunction,
  wasmMemory,
  wasmModule,
  when,
} from "./wasm.js";

test("a module of two functions counts, remembers and asks back", () => {
  const memory = wasmMemory(100);
  assert.ok(memory !== null);
  assert.equal(memory.buffer.byteLength, 65_536);
  const sum = wasmFunction("sum", 1, ([count], local) => {
    assert.ok(count !== undefined);
    const [at, total] = [local.i32(), local.i32()];
    return [
      block(
        loop(
          leaveIf(1, op.geU(at.get, count.get)),
          total.set(op.add(total.get, op.load(op.shl(at.get, 2), 400))),
          at.set(op.add(at.get, 1)),
          leave(0),
        ),
      ),
      total.get,
    ];
  });
  const larger = wasmFunction("larger", 2, ([a, b]) => {
    assert.ok(a !== undefined && b !== undefined);
    return [when(op.gtU(a.get, b.get), b.set(call(0, a.get))), b.get];
  });
  const asked: number[] = [];
  const exports = wasmExports(wasmModule(["twice"], [sum, larger]), memory, {
    twice: (value) => {
      asked.push(value);
      return value * 2;
    },
  });
  new Int32Array(memory.buffer, 400, 4).set([1, -20, 300_000, 7]);
  assert.equal(exports.sum?.(4), 299_988);
  assert.equal(exports.sum?.(0), 0);
  assert.equal(exports.larger?.(5, 6), 6);
  assert.equal(exports.larger?.(1 << 30, 6), -(2 ** 31));
  assert.deepEqual(asked, [1 << 30]);
});

test("constants of every length", () => {
  const values = [0, 1, -1, 63, 64, -64, -65, 127, 128, 8191, 8192, -8193, 2 ** 31 - 1, -(2 ** 31)];
  const functions = values.map((value, i) => wasmFunction(`f${i}`, 0, () => [op.add(value, 0)]));
  const memory = wasmMemory(0);
  assert.ok(memory !== null);
  const exports = wasmExports(wasmModule([], functions), memory, {});
  assert.deepEqual(
    values.map((_, i) => exports[`f${i}`]?.()),
    values,
  );
});

test("more memory than there is address space is refused, not thrown", () => {
  assert.equal(wasmMemory(2 ** 45), null);
});
