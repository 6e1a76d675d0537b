import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import type { UpdateSample } from "../../model/update-sample.js";
import { until } from "../../testing/oracles/prometheus-server.js";
import { madeSample } from "../../testing/samples/samples.js";
import { parseBudget } from "../input/budget-file.js";
import { DEFAULT_CAPTURE_OPTIONS } from "../input/capture-options.js";
import type { WorkerPool } from "../workers/worker-pool.js";
import type { WatchEvent } from "./events.js";
import type { Alert } from "./intake/alerts.js";
import { StateFolder } from "./intake/state.js";
import type { UpdateStore } from "./intake/update-store.js";
import { WatchService } from "./service.js";

const folder = mkdtempSync(join(tmpdir(), "blackout-service-"));
after(() => rmSync(folder, { recursive: true }));

const budget = parseBudget("version: 1\ndecide-by: sample\nlimits: [blackout p50 <= 1s]\n", "b");
assert.ok(budget.ok);
const rules = { budget: budget.value, budgetFile: "b", baseline: null, seed: 1 };

/** A store in memory that refuses a given number of additions. */
function memoryStore() {
  const updates = new Map<string, UpdateSample>();
  const asked = { additions: 0, failures: 0, upkeeps: 0, brokenUpkeeps: 0, damaged: [] as string[] };
  const store: UpdateStore = {
    add: async (samples) => {
      asked.additions += 1;
      if (asked.failures > 0) {
        asked.failures -= 1;
        throw new Error("no space left on the disk");
      }
      return {
        results: samples.map((sample) => {
          const id = sample.name;
          if (updates.has(id)) return { kind: "already", id } as const;
          updates.set(id, sample);
          return { kind: "added", id } as const;
        }),
      };
    },
    count: async (tally, { arrivals }) => {
      for (const [id, sample] of updates) tally.add(sample, sample.takenAtMs ?? arrivals.get(id) ?? null);
      return updates.size;
    },
    latest: async ({ arrivals }) =>
      [...updates].flatMap(([id, sample]) => {
        const atMs = sample.takenAtMs ?? arrivals.get(id);
        return atMs === undefined ? [] : [{ sample, atMs }];
      }),
    upkeep: async () => {
      asked.upkeeps += 1;
      if (asked.brokenUpkeeps > 0) {
        asked.brokenUpkeeps -= 1;
        throw new Error("no space left on the disk");
      }
      return { compacted: { merged: 64, made: 1, deleted: 0 }, damaged: asked.damaged };
    },
    close: () => {},
  };
  return { store, updates, asked };
}

/** Analyses nothing: a capture's name says how many milliseconds its blackout took. */
const pool = {
  hasRoom: true,
  run: async ({ path }: { readonly path: string }) => {
    const name = path.split("/").at(-1) ?? "";
    return { kind: "sample", sample: madeSample(Number.parseInt(name, 10), { name }) };
  },
  close: () => {},
} as unknown as WorkerPool;

function serviceIn(
  name: string,
  store: UpdateStore,
  notify: ((alert: Alert, ended: AbortSignal) => Promise<boolean>) | null = null,
) {
  const place = join(folder, name);
  const spool = join(place, "spool");
  mkdirSync(spool, { recursive: true });
  const state = StateFolder.open(join(place, "state"));
  assert.ok(state.ok);
  const events: WatchEvent[] = [];
  const service = new WatchService(
    {
      folder: spool,
      reading: DEFAULT_CAPTURE_OPTIONS,
      intake: { settleMs: 50, patienceMs: 60_000, most: 1_000 },
      rescanMs: 200,
      windowMs: 3_600_000,
      rules,
    },
    { store, pool, state: state.value, notify, tell: (event) => events.push(event), nowMs: Date.now },
  );
  const drop = (...names: string[]): void => {
    for (const each of names) writeFileSync(join(spool, each), each);
  };
  const close = async () => {
    await service.stop();
    state.value.close();
  };
  return { service, events, drop, close };
}

test("an archive that takes nothing stops intake and loses nothing; health reports it until it is over", async () => {
  const { store, updates, asked } = memoryStore();
  asked.failures = 2;
  const { service, events, drop, close } = serviceIn("full", store);
  drop(...Array.from({ length: 300 }, (_, i) => `${i + 1}.tar`));
  service.start();
  await until("trouble", 20, () => (service.troubles.length > 0 ? true : null));
  assert.match(service.troubles.join(), /the archive takes nothing.*no space left/);
  assert.ok(service.pending <= 200, `${service.pending} wait in memory`);
  await until("all is added", 30, () => (updates.size === 300 ? true : null));
  await service.settled();
  assert.deepEqual(service.troubles, []);
  assert.equal(service.counters.analysis.count, 300, "each was analysed once");
  assert.equal(events.filter(({ event }) => event === "trouble").length, 1, "reported once");
  assert.equal(service.counters.captures.taken, 300);
  await close();
});

test("an alert is sent again until it is received, and not afterwards", async () => {
  const { store } = memoryStore();
  const told: string[] = [];
  let deaf = 2;
  const hear = async (alert: Alert): Promise<boolean> => {
    deaf -= 1;
    if (deaf >= 0) return false;
    told.push(alert.resolvedAtMs === null ? "raised" : "resolved");
    return true;
  };
  const first = serviceIn("alerts", store, hear);
  first.drop("5000.tar", "6000.tar");
  first.service.start();
  await until("failed once", 20, () => (first.service.counters.webhooks.failed === 1 ? true : null));
  await until("told", 30, async () => {
    await first.service.evaluate();
    return told.length > 0 ? true : null;
  });
  await first.close();
  // The next start reads which alerts were sent and which entries are done.
  const second = serviceIn("alerts", store, hear);
  assert.equal(await second.service.load(), 2);
  second.service.start();
  await second.service.settled();
  assert.deepEqual(told, ["raised"]);
  assert.equal(second.service.counters.captures.taken, 0);
  second.drop("10.tar", "20.tar", "30.tar");
  await until("resolved", 20, () => (told.length > 1 ? true : null));
  await second.close();
  assert.deepEqual(told, ["raised", "resolved"]);
  assert.deepEqual(
    [...first.events, ...second.events]
      .map(({ event }) => event)
      .filter((event) => /^(?:raised|resolved)$/.test(event)),
    ["raised", "resolved"],
  );
});

test("without its journal the service analyses again, and counts nothing twice", async () => {
  const { store, updates } = memoryStore();
  const first = serviceIn("journal", store);
  first.drop("100.tar", "200.tar");
  first.service.start();
  await until("taken", 20, () => (updates.size === 2 ? true : null));
  await first.service.settled();
  await first.close();
  rmSync(join(folder, "journal/state"), { recursive: true });
  const second = serviceIn("journal", store);
  await second.service.load();
  second.service.start();
  await until("found again", 20, () => (second.service.counters.captures.duplicate === 2 ? true : null));
  assert.equal(second.service.counters.captures.taken, 0);
  const [cohort] = second.service.tally.cohorts();
  assert.equal(cohort?.outcomes.completed, 2);
  assert.equal(second.service.window.size, 0, "not dated, and the journal that knew when it came is gone");
  await second.close();
});

test("a webhook that hangs ends with the service, and its alert is kept for the next one", async () => {
  const { store } = memoryStore();
  const { service } = serviceIn("hanging", store, (_alert, ended) => {
    return new Promise((done) => ended.addEventListener("abort", () => done(false)));
  });
  for (let i = 0; i < 6; i += 1) service.window.add(madeSample(5e9, { name: `u${i}` }), Date.now(), Date.now());
  const evaluated = service.evaluate();
  assert.equal(service.alerts.length, 1);
  const begin = performance.now();
  await service.stop();
  await evaluated;
  assert.ok(performance.now() - begin < 4_000);
  assert.equal(service.alerts.length, 1);
});

test("damage of the archive is a trouble until the file is restored", async () => {
  const { store, asked } = memoryStore();
  const { service } = serviceIn("damage", store);
  asked.damaged = ["a.parquet: was changed"];
  await service.keepUp();
  assert.deepEqual(service.troubles, ["the archive is damaged: a.parquet: was changed"]);
  asked.damaged = [];
  await service.keepUp();
  assert.deepEqual(service.troubles, []);
});

test("the archive's upkeep is one work at a time, and a failure is reported and tried again", async () => {
  const { store, asked } = memoryStore();
  const { service, events } = serviceIn("upkeep", store);
  asked.brokenUpkeeps = 2;
  await Promise.all([service.keepUp(), service.keepUp()]);
  assert.equal(asked.upkeeps, 1);
  await service.keepUp();
  assert.deepEqual(
    events.map((event) => (event.event === "trouble" ? event.what : event.event)),
    ["the archive's upkeep failed, and is tried again: no space left on the disk"],
  );
  assert.equal(service.troubles.length, 1);
  await service.stop();
  assert.deepEqual(events.at(-1), { event: "compacted", merged: 64, made: 1, deleted: 0 });
  assert.equal(service.troubles.length, 0);
});
