import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import { writeAtomically } from "../../files/write-atomically.js";
import { parseListen, tokenOf } from "../listen.js";
import { StateFolder } from "./state.js";

const folder = mkdtempSync(join(tmpdir(), "blackout-state-"));
after(() => rmSync(folder, { recursive: true }));

function opened(path: string): StateFolder {
  const state = StateFolder.open(path);
  assert.ok(state.ok, state.ok ? "" : state.error);
  return state.value;
}

test("a written state is read again; a file that is not a state is replaced, and reported", () => {
  const path = join(folder, "a");
  const first = opened(path);
  assert.deepEqual(first.read(), { journal: new Map(), alerts: [], problems: [] });
  const journal = new Map([
    ["spool/__proto__", { fingerprint: "1 2", atMs: 3, result: { kind: "taken" as const, id: "x" } }],
    ["spool/b", { fingerprint: "4", atMs: 5, result: { kind: "refused" as const, reason: "no" } }],
  ]);
  first.record(journal, journal);
  assert.equal(statSync(join(path, "journal.log")).mode & 0o777, 0o600);
  first.close();
  const second = opened(path);
  assert.deepEqual(second.read().journal, journal);
  rmSync(join(path, "journal.log"));
  for (const [text, says] of [
    ["{", /cannot be read/],
    ['{"version":2}', /of version 2, expected 1/],
    ["null", /of version undefined/],
  ] as const) {
    writeFileSync(join(path, "journal.json"), text);
    const { journal: none, problems } = second.read();
    assert.equal(none.size, 0);
    assert.match(problems.join(), says);
  }
  second.close();
});

const refused = (reason: string) => ({ fingerprint: "1", atMs: 1, result: { kind: "refused" as const, reason } });

test("one more entry costs one more line, however many there are", () => {
  const path = join(folder, "many");
  const state = opened(path);
  state.read();
  const journal = new Map<string, ReturnType<typeof refused>>();
  let written = 0;
  for (let i = 0; i < 10_000; i += 1) {
    const entry = [`spool/${i}.tar`, refused("not an archive")] as const;
    journal.set(...entry);
    const sizes = () => readdirSync(path).reduce((sum, name) => sum + statSync(join(path, name)).size, 0);
    const before = i % 500 === 0 ? sizes() : 0;
    state.record(new Map([entry]), journal);
    if (i % 500 === 0) written += Math.abs(sizes() - before);
  }
  assert.ok(written < 2e6, `${written} bytes in 20 of 10,000 entries`);
  assert.deepEqual(opened(join(folder, "many-else")).read().journal, new Map());
  state.close();
  const again = opened(path);
  assert.deepEqual(again.read(), { journal, alerts: [], problems: [] });
  again.close();
});

test("a log that ends in a torn line is read up to it, and goes on; a damaged line is reported", () => {
  const path = join(folder, "torn");
  const log = join(path, "journal.log");
  const first = opened(path);
  const [a, b, c] = ["a", "b", "c"].map((name) => [name, refused(name)] as const);
  first.record(new Map([a!, b!]), new Map([a!, b!]));
  first.close();
  const whole = readFileSync(log, "utf8");
  for (let cut = whole.length - 1; cut > whole.indexOf("\n"); cut -= 7) {
    writeFileSync(log, whole.slice(0, cut));
    const state = opened(path);
    assert.deepEqual(state.read(), { journal: new Map([a!]), alerts: [], problems: [] }, `cut at ${cut}`);
    state.record(new Map([c!]), new Map([a!, c!]));
    state.close();
    const next = opened(path);
    const { journal, problems } = next.read();
    assert.deepEqual(journal, new Map([a!, c!]));
    assert.deepEqual(problems, []);
    next.close();
  }
  writeFileSync(log, `nonsense\n[1,2]\n["x",5]\n${whole}`);
  const state = opened(path);
  const { journal, problems } = state.read();
  assert.deepEqual(journal, new Map([a!, b!]));
  assert.match(problems.join(), /journal\.log: 3 lines are damaged/);
  state.record(new Map([["a", null]]), new Map([b!]));
  assert.deepEqual(state.read().journal, new Map([b!]), "what is gone is gone");
  state.close();
});

test("one service has it at a time; one that was killed leaves nothing that keeps the next out", async () => {
  const path = join(folder, "b");
  const other = spawn(process.execPath, ["-e", "setTimeout(() => {}, 60000)", "watch"]);
  try {
    opened(path).close();
    writeFileSync(join(path, "lock"), `${other.pid}\n`);
    const refused = StateFolder.open(path);
    assert.ok(!refused.ok);
    assert.match(refused.error, new RegExp(`another 'blackout watch', process ${other.pid}`));
  } finally {
    other.kill("SIGKILL");
    await new Promise((done) => other.on("close", done));
  }
  opened(path).close();
  writeFileSync(join(path, "lock"), "nonsense");
  opened(path).close();
});

test("a file is replaced whole, and a failure leaves the old one and nothing else", () => {
  const place = join(folder, "c");
  writeAtomically(join(place, "x.prom"), "old");
  writeAtomically(join(place, "x.prom"), "new", 0o600);
  assert.equal(statSync(join(place, "x.prom")).mode & 0o777, 0o600);
  assert.throws(() => writeAtomically(place, "y"), /EISDIR|ENOTEMPTY|EEXIST/);
  assert.deepEqual(readdirSync(place), ["x.prom"]);
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.startsWith(".")),
    [],
  );
});

test("a token is made once, kept for its owner alone, and refused if it is guessable", () => {
  const path = join(folder, "d/token");
  const made = tokenOf(path);
  assert.ok(made.ok);
  assert.match(made.value, /^[\w-]{32}$/);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.deepEqual(tokenOf(path), made);
  writeFileSync(path, "secret\n");
  const short = tokenOf(path);
  assert.ok(!short.ok);
  assert.doesNotMatch(short.error, /secret\b/);
});

test("addresses to listen on", () => {
  const of = (text: string) => {
    const parsed = parseListen(text);
    return parsed.ok ? parsed.value : null;
  };
  assert.deepEqual(of("127.0.0.1:9797"), { address: "127.0.0.1", port: 9797 });
  assert.deepEqual(of("[::1]:0"), { address: "::1", port: 0 });
  for (const wrong of ["", "9797", "localhost:9797", "127.0.0.1", "127.0.0.1:99999", "1.2.3:4", "[::1:4", "::1:4"]) {
    assert.equal(of(wrong), null, wrong);
  }
});
