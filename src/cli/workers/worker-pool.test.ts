import assert from "node:assert/strict";
import test, { after } from "node:test";
import { DEFAULT_CAPTURE_OPTIONS } from "../input/capture-options.js";
import { WorkerPool } from "./worker-pool.js";

const limits = { jobs: 2, timeoutMs: 5_000, memoryBytes: 300 * 2 ** 20 };
const pool = new WorkerPool(limits, new URL("../../testing/fakes/watch-worker.js", import.meta.url));
after(() => pool.close());

const ask = async (path: string, of = pool) => {
  const outcome = await of.run({ what: "sample", path, reading: DEFAULT_CAPTURE_OPTIONS });
  return outcome.kind === "refused" ? outcome.reason : outcome;
};

test("a worker is used again, and asked no more than one thing at once", async () => {
  const answers = await Promise.all(["a", "b", "c", "d", "e", "f"].map((path) => ask(path)));
  const workers = new Set(answers.map((answer) => String(answer).split(" ")[1]));
  assert.deepEqual(
    answers.map((answer) => String(answer).split(" ")[0]),
    ["a", "b", "c", "d", "e", "f"],
  );
  assert.ok(workers.size <= 2, [...workers].join());
});

test("one that exceeds its memory is killed and named, and the others go on", async () => {
  const [memory, heap, other] = await Promise.all([ask("memory"), ask("heap"), ask("other")]);
  assert.deepEqual(memory, { kind: "killed", why: "memory", detail: "it took more than 300 MiB" });
  assert.ok(typeof heap === "object" && heap.kind === "killed" && heap.why === "memory", JSON.stringify(heap));
  assert.match(String(other), /^other /);
});

test("one that takes too long is killed and named, and the others go on", async () => {
  const slow = new WorkerPool(
    { ...limits, timeoutMs: 700 },
    new URL("../../testing/fakes/watch-worker.js", import.meta.url),
  );
  try {
    const [forever, other] = await Promise.all([ask("forever", slow), ask("other")]);
    assert.deepEqual(forever, { kind: "killed", why: "time", detail: "it took longer than 0.7 s" });
    assert.match(String(other), /^other /);
  } finally {
    slow.close();
  }
});

test("one that ends by itself says with what", async () => {
  const thrown = await ask("throws");
  assert.ok(typeof thrown === "object" && thrown.kind === "killed" && thrown.why === "crash");
  assert.match(thrown.detail, /TypeError: nothing there/);
  const ended = await ask("exits");
  assert.ok(typeof ended === "object" && ended.kind === "killed");
  assert.match(ended.detail, /exit code 9/);
});

test("once closed, what was under way is answered, and nothing runs", async () => {
  const closing = new WorkerPool(limits, new URL("../../testing/fakes/watch-worker.js", import.meta.url));
  const answers = ["forever", "forever", "other"].map((path) => ask(path, closing));
  closing.close();
  for (const answer of await Promise.all(answers)) assert.ok(typeof answer === "object" && answer.kind === "killed");
});
