import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after, before } from "node:test";
import { openArchive } from "../../archive/store/archive.js";
import { documentOfSample, type UpdateSample } from "../../model/update-sample.js";
import { recordedSurroundings } from "../../testing/command-testing.js";
import { ModelEngine, startStandIn } from "../../testing/fakes/clickhouse-stand-in.js";
import { shippedCohort } from "../../testing/places.js";
import { documentedQueries, fleetSamples } from "../../testing/samples/fleet.js";
import { commands } from "../commands.js";
import { runCli } from "../frame/command-run.js";

const folder = mkdtempSync(join(tmpdir(), "blackout-archive-cli-"));
after(() => rmSync(folder, { recursive: true, force: true }));

async function cli(...args: readonly string[]) {
  const surroundings = recordedSurroundings();
  const code = await runCli(args, surroundings, commands);
  return { code, out: surroundings.written(), err: surroundings.complained() };
}

const path = join(folder, "fleet");
let samples: readonly UpdateSample[] = [];

before(async () => {
  samples = await fleetSamples();
  const archive = await openArchive(path, {});
  await archive.add(samples);
  archive.close();
});

test("add, list, show, verify, compact, remove: what a user types and reads", async () => {
  const own = join(folder, "own");
  const [capture = ""] = shippedCohort("base");
  assert.deepEqual(await cli("archive", "add", own, capture, "--keep-captures"), {
    code: 0,
    out: `${own}: 1 update added\n`,
    err: "",
  });
  const lines = join(folder, "lines.jsonl");
  writeFileSync(
    lines,
    samples
      .slice(0, 3)
      .map((sample) => `${JSON.stringify(documentOfSample(sample))}\n`)
      .join(""),
  );
  assert.equal(
    (await cli("archive", "add", own, lines, capture)).out,
    `${own}: 3 updates added, 1 was there already\n`,
  );
  const list = await cli("archive", "list", own, "--json");
  const rows = list.out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.equal(rows.length, 4);
  const kept = rows.find((row) => row.capture !== null);
  assert.deepEqual(readFileSync(join(own, kept.capture)), readFileSync(capture));
  assert.match((await cli("archive", "list", own)).out, /^id +taken \(UTC\) +host +name +kernel .*\n.*\n4 updates\n$/s);
  assert.deepEqual(JSON.parse((await cli("archive", "show", own, kept.id.slice(0, 12), "--json")).out), kept);
  assert.match((await cli("archive", "verify", own)).out, /sound: 4 updates in \d segments/);
  assert.match((await cli("archive", "compact", own, "--grace", "0s")).out, /: .*; \d+ files deleted\n$/);
  assert.equal((await cli("archive", "remove", own, "--where", "name LIKE '0-%'")).out, `${own}: 3 updates removed\n`);
  assert.match((await cli("archive", "verify", own)).out, /sound: 1 updates/);
  rmSync(join(own, kept.capture));
  const damaged = await cli("archive", "verify", own);
  assert.equal(damaged.code, 1);
  assert.match(damaged.out, /is missing; it was kept for update/);
});

test("each error states what is wrong and what to do", async () => {
  const cases: readonly (readonly [readonly string[], number, RegExp])[] = [
    [["archive", "ad", path], 2, /expected add, list, .*did you mean add\?/],
    [["archive", "list", path, "--quick"], 2, /--quick does not go with archive list/],
    [["archive", "list", join(folder, "none")], 3, /is not an archive \(it has no archive.json\)/],
    [["archive", "add", path], 2, /name what is to be added/],
    [["archive", "add", join(folder, "x"), "nothing.jsonl"], 3, /found nothing there/],
    [["archive", "add", join(folder, "y"), path, "--partition-by", "kernle"], 2, /did you mean kernel\?/],
    [["archive", "show", path, "xyz"], 3, /expected an update's id/],
    [["archive", "show", path, "00000000"], 3, /no update of this id/],
    [["archive", "remove", path], 2, /say which, with --where/],
    [["archive", "export", path, "--key", "k"], 2, /--key: is of --anonymise/],
    [["query", path, "SELECT 1", "--csv", "--json"], 2, /--csv and --json: choose one/],
    [["query", path, "DROP VIEW updates"], 3, /kind DROP, expected SELECT/],
    [["cohort", `${path}/?kernle=1`], 3, /did you mean kernel\?/],
    [["cohort", `${path}?host=nobody`], 3, /holds no such update/],
  ];
  for (const [args, code, message] of cases) {
    const answer = await cli(...args);
    assert.match(answer.err, message, args.join(" "));
    assert.equal(answer.code, code, args.join(" "));
  }
});

test("a cohort is a part of an archive, everywhere", async () => {
  const part = `${path}/?kernel=7.3.4-luo&label.cohort=base`;
  const cohort = await cli("cohort", "--json", part);
  assert.equal(cohort.code, 0);
  const documents = cohort.out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  const wanted = samples.filter(({ kernel, labels }) => kernel.new === "7.3.4-luo" && labels.cohort === "base");
  assert.ok(wanted.some(({ outsideCauses }) => (outsideCauses ?? []).length > 0));
  const kept = wanted.map(documentOfSample);
  assert.deepEqual(documents, JSON.parse(JSON.stringify(kept)));
  const compared = await cli("compare", `${path}/?label.cohort=base`, `${path}/?label.cohort=devices`, "--json");
  assert.equal(JSON.parse(compared.out).verdict ?? JSON.parse(compared.out).comparisons?.[0]?.verdict, "regressed");
});

test("a flipped bit in an archive is reported by every command that reads it, with exit code 3", async () => {
  const own = join(folder, "rot");
  const archive = await openArchive(own, {});
  await archive.add(samples.slice(0, 4));
  await archive.add(samples.slice(4, 6));
  const [segment] = [...(await archive.snapshot()).segments.values()].filter(({ updates }) => updates === 2);
  const file = join(own, segment!.files[0]!.path);
  archive.close();
  const bytes = readFileSync(file);
  bytes.writeUInt8(bytes.readUInt8(50) ^ 2, 50);
  writeFileSync(file, bytes);
  const named = `blackout: ${file}: is not what was committed (its SHA-256 differs): it was changed; left out: the 2 updates of its segment. Restore the file from a backup\n`;
  for (const args of [
    ["query", own, "FROM updates"],
    ["query", own, "FROM updates", "--json"],
    ["query", own, "FROM updates", "--parquet", join(folder, "rot.parquet")],
    ["archive", "list", own],
    ["archive", "list", own, "--where", "true"],
    ["archive", "export", own],
  ]) {
    const { code, err } = await cli(...args);
    assert.equal(code, 3, args.join(" "));
    assert.ok(err.endsWith(named), `${args.join(" ")}: ${err}`);
  }
  assert.ok((await cli("percentiles", own)).err.includes(named), "a cohort names it too");
  assert.equal((await cli("percentiles", own)).code, 3);
});

test("query: table, CSV, JSON, Parquet", async () => {
  const sql = "SELECT 'a,\"b' AS x, '' AS y, NULL AS z, 1500000 AS t_ns, DATE '2026-11-24' AS d";
  const table = await cli("query", path, sql);
  assert.equal(table.out, 'x     y  z         t  d\na,"b     -  1.500 ms  2026-11-24\n1 row\n');
  assert.equal((await cli("query", path, sql, "--csv")).out, 'x,y,z,t_ns,d\r\n"a,""b","",,1500000,2026-11-24\r\n');
  assert.equal(
    (await cli("query", path, sql, "--json")).out,
    '{"x":"a,\\"b","y":"","z":null,"t_ns":1500000,"d":"2026-11-24"}\n',
  );
  const out = join(folder, "out.parquet");
  assert.equal((await cli("query", path, "FROM updates", "--parquet", out)).code, 0);
  const [own = ""] = readdirSync(path, { recursive: true, encoding: "utf8" }).filter((name) =>
    name.endsWith(".parquet"),
  );
  const before = readFileSync(join(path, own));
  const inside = await cli("query", path, "FROM updates", "--parquet", join(path, own));
  assert.equal(inside.code, 2);
  assert.match(inside.err, /lies in the archive, whose files are its own/);
  assert.deepEqual(readFileSync(join(path, own)), before);
  assert.match(
    (await cli("query", path, "FROM updates", "--parquet", join(folder, "no/x"))).err,
    /does not exist or is not a folder/,
  );
  assert.match((await cli("archive", "list", path, "--where", "nme = 1")).err, /Binder Error/);
  assert.equal(readFileSync(out).subarray(0, 4).toString(), "PAR1");
});

test("CSV for a spreadsheet or a terminal: no formula, no control", async () => {
  const csv = async (value: string): Promise<string> => {
    const text = [...value].map((each) => `chr(${each.codePointAt(0)})`).join(" || ");
    return (await cli("query", "--csv", path, `SELECT ${text} AS a, -5 AS n`)).out;
  };
  assert.equal(await csv('=HYPERLINK("x")'), `a,n\r\n"'=HYPERLINK(""x"")",-5\r\n`);
  for (const begin of ["+", "-", "@", "＝", "＋", "－", "＠"]) {
    assert.equal(await csv(`${begin}1`), `a,n\r\n'${begin}1,-5\r\n`);
  }
  assert.equal(await csv("\t=1"), "a,n\r\n\\t=1,-5\r\n");
  assert.equal(await csv("\r\n=1"), "a,n\r\n\\x0d\\n=1,-5\r\n");
  assert.equal(await csv("\x1b[2J\x9b\u202e"), "a,n\r\n\\x1b[2J\\x9b\\u202e,-5\r\n");
  assert.equal(await csv("a=b"), "a,n\r\na=b,-5\r\n");
  const { out } = await cli("query", "--json", path, "SELECT chr(155) || chr(8238) AS a");
  assert.equal(out, '{"a":"\\u009b\\u202e"}\n');
});

test("every query of the docs is answered, and the first is the one that the tool prints", async () => {
  const queries = documentedQueries();
  assert.ok(queries.size >= 8);
  for (const [heading, sql] of queries) {
    const answer = await cli("query", path, sql, "--json");
    assert.equal(answer.err, "", heading);
    assert.ok(answer.out.length > 0, `${heading}: no rows from this archive`);
  }
  const printed = (await cli("archive", "export", path, "--sql", "duckdb")).out;
  assert.ok(printed.endsWith(`${[...queries.values()][0]?.trimEnd()};\n`));
  const [worst] = (
    await cli("query", path, queries.get("Which device costs most, by kernel?") ?? "", "--json")
  ).out.split("\n");
  const row = JSON.parse(worst ?? "");
  const device = samples.filter(
    ({ kernel, causes }) => kernel.new === row.kernel_new && causes?.some(({ id }) => id === row.cause),
  );
  const total = device
    .flatMap(({ causes }) => causes ?? [])
    .filter(({ id, kind }) => kind === "device" && id === row.cause);
  assert.equal(row.mean_ns, Math.round(total.reduce((sum, { totalNs }) => sum + totalNs, 0) / device.length));
  assert.equal(row.updates, device.length);
});

test("push: a ClickHouse server is brought to the archive's content, or the error states why not", async () => {
  const model = await ModelEngine.open(folder);
  const server = await startStandIn(model);
  const target = `${server.url}/fleet`;
  assert.deepEqual(await cli("archive", "push", path, "--clickhouse", target), {
    code: 0,
    out: `${target}: 20 updates, as of commit 1 of ${path} (20 updates sent)\n`,
    err: "",
  });
  const again = await cli("archive", "push", path, "--clickhouse", target, "--json");
  assert.deepEqual(JSON.parse(again.out), {
    loaded: { segments: 0, updates: 0 },
    retired: 0,
    commit: 1,
    updates: 20,
  });
  const ddl = await cli("archive", "push", path, "--clickhouse", target, "--cluster", "prod", "--print-ddl");
  const made = ddl.out.split(";\n");
  assert.equal(made[0], "CREATE DATABASE IF NOT EXISTS `fleet` ON CLUSTER `prod`");
  assert.ok(made.slice(0, -1).every((statement) => /^\n?CREATE .* IF NOT EXISTS .* ON CLUSTER `prod`/.test(statement)));
  await server.close();
  model.engine.close();
  const gone = await cli("archive", "push", path, "--clickhouse", target);
  assert.equal(gone.code, 3);
  assert.match(
    gone.err,
    /did not answer as ClickHouse does: nothing answers there; is it the port of .* \(ECONNREFUSED\)/,
  );
  assert.match((await cli("archive", "push", path)).err, /say where to, with --clickhouse URL/);
  assert.equal((await cli("archive", "push", path, "--clickhouse", "ch:9000")).code, 2);
});

/** Every name in a sample: whatever is not a number and not of a fixed vocabulary. */
function namesOf(sample: UpdateSample): readonly string[] {
  const causes = sample.causes ?? [];
  const named = causes.filter(({ kind }) =>
    ["session", "file", "device", "irq", "userspace", "kthread"].includes(kind),
  );
  return [
    sample.name,
    sample.host ?? "",
    ...Object.entries(sample.labels).flatMap(([label, value]) => (label === "probe_level" ? [] : [value])),
    ...sample.vms.map(({ id }) => id),
    ...named.flatMap(({ id }) => [id, ...id.split(" ")]),
  ].filter((name) => name.length >= 3 && name !== "irq");
}

test("anonymised, no name is left, structure is, and one key gives one pseudonym", async () => {
  const key = join(folder, "key");
  writeFileSync(key, createHash("sha256").update("a key for tests").digest());
  const out = join(folder, "public");
  assert.match(
    (await cli("archive", "export", path, "--anonymise", "--key", key, "-o", out)).out,
    /20 updates exported/,
  );
  const lines = (await cli("archive", "export", path, "--anonymise", "--key", key)).out;
  const again = (await cli("archive", "export", path, "--anonymise", "--key", key)).out;
  assert.equal(lines, again);
  assert.notEqual(lines, (await cli("archive", "export", path, "--anonymise")).out);
  // Parquet is packed: what it holds is looked at unpacked, every text of every table, and so are all paths and commits.
  const texts = [lines];
  for (const table of ["updates", "phases", "vms", "causes", "buckets", "defects"]) {
    texts.push((await cli("query", out, `FROM ${table}`, "--csv")).out);
  }
  const archive = await openArchive(out);
  texts.push(JSON.stringify([...(await archive.snapshot()).segments.values()]), JSON.stringify(archive.manifest));
  archive.close();
  const all = texts.join("\n");
  const names = new Set(samples.flatMap(namesOf));
  assert.ok(names.has("0000:00:03.0") && names.has("host-1") && names.has("memfd-2x2"));
  for (const name of names) {
    // As a word: `init` is a task's name, and a part of `acpi_init`.
    const word = new RegExp(
      `(?<![A-Za-z0-9_.:-])${name.replaceAll(/[.*+?^$()[\]{}|\\/]/g, "\\$&")}(?![A-Za-z0-9_.:-])`,
    );
    assert.ok(!word.test(all), `${name} is left`);
  }
  const hidden = lines
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  const byTime = (a: { takenAtMs: number }, b: { takenAtMs: number }) => a.takenAtMs - b.takenAtMs;
  const originals = [...samples].sort((a, b) => (a.takenAtMs ?? 0) - (b.takenAtMs ?? 0));
  for (const [i, document] of hidden.sort(byTime).entries()) {
    const original = originals[i];
    assert.deepEqual(document.blackout, original?.blackout);
    assert.deepEqual(document.phases, original?.phases);
    assert.deepEqual(
      document.causes.map(({ totalNs, kind }: { totalNs: number; kind: string }) => [kind, totalNs]),
      original?.causes?.map(({ totalNs, kind }) => [kind, totalNs]),
    );
  }
  const hosts = (documents: readonly { host: string | null }[]) => new Set(documents.map(({ host }) => host)).size;
  assert.equal(hosts(hidden), hosts(samples));
  assert.ok(!existsSync(join(out, "captures")));
  writeFileSync(key, "short");
  assert.match((await cli("archive", "export", path, "--anonymise", "--key", key)).err, /a key needs 16 or more/);
});
