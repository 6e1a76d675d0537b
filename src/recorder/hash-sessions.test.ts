/**
 * Names of sessions as keyed hashes: found in pages and text, removed from the whole capture, with everything else
 * unchanged.
 */
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import test, { after } from "node:test";
import { gunzipSync } from "node:zlib";
import { DEFAULT_LAYOUT } from "../collect/ring-buffer/page-layout.js";
import { payloadOf, writePages } from "../testing/fakes/ring-pages.js";
import { HOSTS, type HostKind, type MadeUpHost, madeUpHost } from "../testing/fakes/tracefs-tree.js";
import { sharedCaptures } from "../testing/places.js";
import { pseudonymOf, runRecord, shells } from "../testing/recorder-runs.js";
import { readUpdate } from "../testing/samples/captures.js";

const scratch = mkdtempSync(join(tmpdir(), "blackout-hash-"));
after(() => rmSync(scratch, { recursive: true, force: true }));
let hosts = 0;
const newHost = (): MadeUpHost => madeUpHost(mkdtempSync(join(scratch, `${hosts++}-`)), HOSTS["6.19"] as HostKind);

const KEY = Buffer.from("0123456789abcdef0123456789abcdef");

const pseudonym = (name: string): string => pseudonymOf(KEY, name);

const PROBE = 1700;
const PRINT = 5;
const FORMATS: Readonly<Record<string, string>> = {
  "blackout/luo_preserve_file": `name: luo_preserve_file\nID: ${PROBE}\nformat:\n\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n\n\tfield:unsigned long __probe_ip;\toffset:8;\tsize:8;\tsigned:0;\n\tfield:__data_loc char[] session;\toffset:16;\tsize:4;\tsigned:1;\n\tfield:u64 token;\toffset:20;\tsize:8;\tsigned:0;\n`,
  "ftrace/print": `name: print\nID: ${PRINT}\nformat:\n\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n\n\tfield:unsigned long ip;\toffset:8;\tsize:8;\tsigned:0;\n\tfield:char buf[];\toffset:16;\tsize:0;\tsigned:0;\n`,
};

function preserved(name: string): Uint8Array {
  const text = Buffer.from(`${name}\0`);
  const rest = Buffer.alloc(20 + text.length);
  // __data_loc: from the record's begin, 8 bytes before what follows; and the length with its NUL.
  rest.writeUInt32LE((text.length << 16) | 28, 8);
  rest.writeBigUInt64LE(0x100n, 12);
  text.copy(rest, 20);
  return payloadOf(PROBE, 7, rest, true);
}

function marked(text: string): Uint8Array {
  return payloadOf(PRINT, 7, Buffer.concat([Buffer.alloc(8), Buffer.from(`${text}\n\0`)]), true);
}

const UUID = "7f994553-0000-4000-8000-00000000000a";
/** With blanks, quotes and brackets, of one byte and of 63, and one that is the beginning of another. */
const NAMES = [UUID, "systemd", "a", "b", "my vm 1", `x${"9".repeat(62)}`, "guest-10", "guest-100", 'odd "one"]'];
/** Of a session that only a mark names. */
const ONLY_MARKED = "customer-0042";

function pagesOf(): Uint8Array {
  const texts = [
    ...NAMES.map(preserved),
    ...NAMES.map((name) => marked(`luo: preserve_fd begin session=${name} token=0x100`)),
    marked(`luo: session_retrieve begin session=${ONLY_MARKED}`),
    marked("luo: prepare begin sessions=2 files=4"),
    marked(`luo: vm_pause vm=${UUID}`),
    marked("a session is a session, and systemd is systemd"),
    marked(`{"id":1,"session":"${ONLY_MARKED}"}`),
    marked(`path /run/vm/${UUID}.sock x${UUID}x`),
  ];
  const records = texts.map((payload, i) => ({ time: BigInt(1000 + i * 1000), payload }));
  const pages = writePages(records, {
    layout: DEFAULT_LAYOUT,
    littleEndian: true,
    discardAfter: new Set([3, 12]),
  });
  // The rest of a page after its data is left over from earlier use.
  const used = new DataView(pages.buffer).getUint32(8, true) & 0x3fffffff;
  Buffer.from("luo: stale a\0customer-0042\0").copy(pages, 16 + used + 8);
  return pages;
}

const LOG = [
  `[    1.000000] luo: Unable to finish session [${UUID}] on release`,
  "[    1.000001] luo: Failed to insert session [a] -EEXIST",
  "[    1.000002] systemd-shutdown[1]: Preserved fd stores in LUO session 'systemd' for kexec.",
  "[    1.000003] systemd[1]: a line about systemd and a",
  `[    1.000004] vmm: ${ONLY_MARKED} is up, guest-10, guest-100, guest-1000`,
];

for (const by of shells) {
  test(`no name of a session is left in a capture that hashes them, and everything else is (${by.join(" ")})`, () => {
    const on = newHost();
    const key = join(on.root, "key");
    writeFileSync(key, KEY);
    for (const [path, text] of Object.entries(FORMATS)) {
      mkdirSync(join(on.tracing, "events", path), { recursive: true });
      writeFileSync(join(on.tracing, "events", path, "format"), text);
    }
    writeFileSync(join(on.root, "var/log/dmesg"), `${LOG.join("\n")}\n`);
    const armed = runRecord(on, ["arm", "--level", "markers", "--hash-sessions", key], by);
    assert.equal(armed.code, 0, armed.stderr);
    on.reboot();
    writeFileSync(join(on.tracing, "instances/blackout/last_boot_info"), "ffffffff81000000\t[kernel]\n");
    const pages = pagesOf();
    writeFileSync(join(on.tracing, "instances/blackout/per_cpu/cpu0/trace_pipe_raw"), pages);
    writeFileSync(
      join(on.tracing, "instances/blackout/trace"),
      `x-1 [000] 1.0: luo: (f) session="my vm 1" token=0x1\n`,
    );
    const to = join(on.root, "capture");
    const run = runRecord(on, ["collect", "-o", to, "--text"], by);
    assert.equal(run.code, 0, run.stderr);
    assert.equal(run.stderr.replace(/^blackout: collected: .*\n/, ""), "", "there are no complaints");
    assert.equal(JSON.parse(readFileSync(join(to, "capture.json"), "utf8")).session_names, "hashed");
    assert.ok(!existsSync(join(to, "hashing")));

    const want = (text: string): string => {
      let result = text;
      for (const name of [...NAMES, ONLY_MARKED]) {
        const asIs = name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
        const named = new RegExp(`(session=|session"?:?"|session ['[])${asIs}(?=[\\s'"\\]\0]|$)`, "g");
        result = result.replace(named, (_, before) => before + pseudonym(name));
        if (name.length >= 8 && /\d/.test(name))
          result = result.replace(new RegExp(`(?<![A-Za-z0-9])${asIs}(?![A-Za-z0-9])`, "g"), pseudonym(name));
      }
      return result;
    };
    const log = readFileSync(join(to, "new/dmesg"), "latin1").trimEnd().split("\n");
    assert.deepEqual(log, LOG.map(want));
    assert.match(readFileSync(join(to, "ring/trace"), "utf8"), new RegExp(`session="${pseudonym("my vm 1")}" token`));

    // Of the pages: each probe's name, the texts, and nothing else.
    const expected = Buffer.from(pages);
    for (const name of NAMES) {
      const at = expected.indexOf(`\0${name}\0`) + 1;
      expected.write(pseudonym(name), at, "latin1");
    }
    const end = 16 + (expected.readUInt32LE(8) & 0x3fffffff);
    expected.fill(0, end);
    const text = want(expected.toString("latin1"));
    const found = readFileSync(join(to, "ring/per_cpu/cpu0/trace_pipe_raw"));
    assert.equal(found.length, pages.length);
    assert.equal(found.toString("latin1").replace(/[^ -~]+/g, "\n"), text.replace(/[^ -~]+/g, "\n"));
    assert.ok(found.equals(Buffer.from(text, "latin1")));
  });
}

test("names so short that two would have the same hash are still distinguished", () => {
  const on = newHost();
  writeFileSync(join(on.root, "key"), KEY);
  const names = [..."abcdefghijkl"];
  writeFileSync(join(on.root, "var/log/dmesg"), names.map((name) => `[ 1.0] luo: session [${name}]\n`).join(""));
  assert.equal(runRecord(on, ["arm", "--level", "markers"]).code, 0);
  const to = join(on.root, "capture");
  assert.equal(runRecord(on, ["collect", "-o", to, "--hash-sessions", join(on.root, "key")]).code, 0);
  const hidden = readFileSync(join(to, "old/dmesg"), "utf8").match(/\[.\]/g);
  assert.equal(new Set(hidden).size, names.length);
});

test("a missing key is created, and a short one is refused", () => {
  const on = newHost();
  const key = join(on.root, "made");
  assert.match(runRecord(on, ["arm", "--level", "markers", "--hash-sessions", key]).stderr, /is a new key/);
  assert.equal(readFileSync(key).length, 32);
  assert.equal(runRecord(on, ["disarm"]).code, 0);
  writeFileSync(key, "short");
  const before = on.snapshot();
  const run = runRecord(on, ["arm", "--level", "markers", "--hash-sessions", key]);
  assert.equal(run.code, 3);
  assert.match(run.stderr, /has 5 bytes; a key needs 16 or more/);
  assert.equal(on.snapshot(), before);
});

test("a longer key than SHA-256's block is hashed first, as HMAC has it", () => {
  const on = newHost();
  const long = Buffer.alloc(100, "k");
  writeFileSync(join(on.root, "key"), long);
  writeFileSync(join(on.root, "var/log/dmesg"), `[ 1.0] luo: session [${UUID}]\n`);
  runRecord(on, ["arm", "--level", "markers"]);
  const to = join(on.root, "capture");
  assert.equal(runRecord(on, ["collect", "-o", to, "--hash-sessions", join(on.root, "key")]).code, 0);
  const digits = createHmac("sha256", long).update(`session\0${UUID}`).digest("hex");
  assert.ok(readFileSync(join(to, "old/dmesg"), "utf8").includes(`[session-${digits.slice(0, 28)}]`));
});

test("pages without formats are left out rather than collected", () => {
  const on = newHost();
  writeFileSync(join(on.root, "key"), KEY);
  assert.equal(runRecord(on, ["arm", "--level", "markers"]).code, 0);
  writeFileSync(join(on.tracing, "instances/blackout/per_cpu/cpu0/trace_pipe_raw"), pagesOf());
  writeFileSync(join(on.tracing, "events/header_page"), "nothing that is understood\n");
  const to = join(on.root, "capture");
  assert.equal(runRecord(on, ["collect", "-o", to, "--hash-sessions", join(on.root, "key")]).code, 0);
  assert.ok(!existsSync(join(to, "ring/per_cpu/cpu0/trace_pipe_raw")));
  assert.match(readFileSync(join(to, "capture.json"), "utf8"), /sessions-not-found/);
});

const real = sharedCaptures === null ? null : join(sharedCaptures, "probes");
test("a real update is analysed alike, name for name", { skip: real === null }, async () => {
  const from = real as string;
  const on = newHost();
  const key = join(on.root, "key");
  writeFileSync(key, KEY);
  const useBoot = (boot: string): void => {
    writeFileSync(join(on.root, "var/log/dmesg"), readFileSync(join(from, boot, "dmesg")));
    const texts = new Map<string, string>();
    for (const line of gunzipSync(readFileSync(join(from, boot, "formats.gz")))
      .toString("utf8")
      .split("\n")) {
      const at = line.indexOf(":");
      if (at > 0) texts.set(line.slice(0, at), `${texts.get(line.slice(0, at)) ?? ""}${line.slice(at + 1)}\n`);
    }
    for (const [path, text] of texts) {
      mkdirSync(dirname(join(on.tracing, "events", path)), { recursive: true });
      writeFileSync(join(on.tracing, "events", path), text);
    }
    writeFileSync(join(on.tracing, "events/header_page"), readFileSync(join(from, boot, "header_page")));
  };
  const usePages = (part: string, instance: string): void => {
    writeFileSync(join(on.tracing, instance, "trace_clock"), readFileSync(join(from, part, "trace_clock")));
    for (const cpu of readdirSync(join(from, part, "per_cpu"))) {
      const folder = join(on.tracing, instance, "per_cpu", cpu);
      mkdirSync(folder, { recursive: true });
      for (const file of ["trace_pipe_raw", "stats"])
        writeFileSync(join(folder, file), readFileSync(join(from, part, "per_cpu", cpu, file)));
    }
  };
  useBoot("old");
  assert.equal(runRecord(on, ["arm", "--level", "markers", "--hash-sessions", key]).code, 0);
  on.reboot();
  useBoot("new");
  writeFileSync(join(on.tracing, "instances/blackout/last_boot_info"), "ffffffff81000000\t[kernel]\n");
  usePages("ring", "instances/blackout");
  usePages("new", "");
  const to = join(on.root, "capture");
  assert.equal(runRecord(on, ["collect", "-o", to]).code, 0);
  const plain = await readUpdate(from);
  const hidden = await readUpdate(to);
  const sessions = ({ update }: typeof plain) => update.sessions.map(({ name }) => name);
  assert.ok(sessions(plain).length > 1);
  assert.deepEqual(sessions(hidden), sessions(plain).map(pseudonym));
  const events = ({ collected }: typeof plain): number => collected.collected.keyEvents.length;
  assert.equal(events(hidden), events(plain), "every event is still decoded");
});
