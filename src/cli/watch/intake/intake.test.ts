import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { Intake, type Sighting } from "./intake.js";

const limits = { settleMs: 2_000, patienceMs: 10_000, most: 5 };
const seen = (path: string, fingerprint: string, done = false): Sighting => ({ path, fingerprint, done });
const never = () => false;

test("an entry is ready once it has not changed for the time to settle, and not before", () => {
  const intake = new Intake(limits);
  intake.observe([seen("a", "1")], 0, never);
  intake.observe([seen("a", "1")], 1_999, never);
  assert.equal(intake.next(), null);
  intake.observe([seen("a", "2")], 2_000, never);
  intake.observe([seen("a", "2")], 3_999, never);
  assert.equal(intake.next(), null);
  intake.observe([seen("a", "2")], 4_000, never);
  assert.deepEqual(intake.next(), { path: "a", fingerprint: "2" });
  assert.equal(intake.next(), null, "it runs once");
});

test("what its writer calls done is not waited for", () => {
  const intake = new Intake(limits);
  intake.observe([seen("a", "1", true), seen("b", "1")], 0, never);
  assert.equal(intake.next()?.path, "a");
  intake.observe([seen("a", "1", true), seen("b", "1", true)], 1, never);
  assert.equal(intake.next()?.path, "b");
});

test("an entry that never settles is reported once, and taken when it does", () => {
  const intake = new Intake(limits);
  const late: string[] = [];
  for (let ms = 0; ms <= 30_000; ms += 1_000) late.push(...intake.observe([seen("a", String(ms))], ms, never).late);
  assert.deepEqual(late, ["a"]);
  assert.ok(intake.isSettled, "there is nothing to wait for");
  intake.observe([seen("a", "30000")], 32_000, never);
  assert.equal(intake.next()?.path, "a");
});

test("what changes while it is analysed does not stand, and is analysed again", () => {
  const intake = new Intake(limits);
  intake.observe([seen("a", "1", true)], 0, never);
  intake.next();
  intake.observe([seen("a", "2")], 1, never);
  assert.equal(intake.analysed("a"), false);
  intake.observe([seen("a", "2")], 2_001, never);
  assert.deepEqual(intake.next(), { path: "a", fingerprint: "2" });
  assert.equal(intake.analysed("a"), true);
  intake.observe([seen("a", "2")], 9_001, never);
  assert.equal(intake.next(), null, "followed until its result is on disk");
  assert.equal(intake.finish("a"), true);
  assert.equal(intake.size, 0);
});

/** What may happen to a folder of a few entries. */
const step = fc.oneof(
  fc.record({ do: fc.constant("write" as const), path: fc.constantFrom("a", "b", "c", "d", "e", "f", "g") }),
  fc.record({ do: fc.constant("remove" as const), path: fc.constantFrom("a", "b", "c", "d", "e", "f", "g") }),
  fc.record({ do: fc.constant("wait" as const), ms: fc.integer({ min: 1, max: 3_000 }) }),
  fc.record({ do: fc.constant("work" as const) }),
  fc.record({ do: fc.constant("finish" as const) }),
  fc.record({ do: fc.constant("add" as const) }),
);

test("whatever happens: every entry in its last form is analysed, none twice, none too early, memory bounded", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const intake = new Intake(limits);
      const files = new Map<string, { version: number; atMs: number }>();
      const results = new Map<string, string>();
      const running = new Map<string, string>();
      const analysed = new Map<string, string>();
      let now = 0;
      let version = 0;
      const look = (): void => {
        const sightings = [...files].map(([path, file]) => seen(path, String(file.version)));
        intake.observe(sightings, now, ({ path, fingerprint }) => results.get(path) === fingerprint);
        assert.ok(intake.size <= limits.most);
      };
      const work = (): void => {
        const next = intake.next();
        if (next === null) return;
        const file = files.get(next.path);
        assert.ok(file !== undefined && String(file.version) === next.fingerprint, "as it is now");
        assert.ok(now - file.atMs >= limits.settleMs, "settled");
        assert.notEqual(results.get(next.path), next.fingerprint, "not again");
        assert.ok(!running.has(next.path) && !analysed.has(next.path), "not twice at once");
        running.set(next.path, next.fingerprint);
      };
      const finish = (): void => {
        const [path, fingerprint] = [...running][0] ?? [];
        if (path === undefined || fingerprint === undefined) return;
        running.delete(path);
        if (intake.analysed(path)) analysed.set(path, fingerprint);
      };
      const add = (): void => {
        for (const [path, fingerprint] of analysed) {
          intake.finish(path);
          results.set(path, fingerprint);
        }
        analysed.clear();
      };
      for (const each of steps) {
        if (each.do === "write") files.set(each.path, { version: ++version, atMs: now });
        if (each.do === "remove") files.delete(each.path);
        if (each.do === "wait") now += each.ms;
        look();
        if (each.do === "work") work();
        if (each.do === "finish") finish();
        if (each.do === "add") add();
      }
      for (let round = 0; round < 40; round += 1) {
        now += 2_000;
        look();
        work();
        finish();
        add();
      }
      for (const [path, file] of files) assert.equal(results.get(path), String(file.version), path);
    }),
    { numRuns: 500 },
  );
});
