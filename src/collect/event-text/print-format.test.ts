import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type EventFormat, parseFormats } from "../formats/event-format.js";
import { parseExpressions, unescaped } from "./c-expression.js";
import { type KernelFacts, parsePrintkFormats } from "./kernel-facts.js";
import { compilePrintFormat } from "./print-format.js";
import type { RecordBytes } from "./record.js";

const FACTS: KernelFacts = {
  longBytes: 8,
  strings: new Map([[0xffffffff82000010n, "rcu_sched"]]),
  symbols: () => ({
    count: 1,
    symbol: (address) => (address === 0xffffffff81000004n ? "start+0x4/0x60" : null),
    name: (address) => (address === 0xffffffff81000004n ? "start" : null),
  }),
};

/** A record of 128 bytes: a u64 at 8, an s32 at 16, a u8 at 20, comm[8] at 24, u8 addr[16] at 32, and located data. */
const FIELDS = [
  "u64 wide;\toffset:8;\tsize:8;\tsigned:0;",
  "int number;\toffset:16;\tsize:4;\tsigned:1;",
  "u8 small;\toffset:20;\tsize:1;\tsigned:0;",
  "char comm[8];\toffset:24;\tsize:8;\tsigned:0;",
  "u8 addr[16];\toffset:32;\tsize:16;\tsigned:0;",
  "__data_loc char[] text;\toffset:48;\tsize:4;\tsigned:0;",
  "__rel_loc u32[] list;\toffset:52;\tsize:4;\tsigned:0;",
  "const char * static;\toffset:56;\tsize:8;\tsigned:0;",
  "__data_loc cpumask_t mask;\toffset:64;\tsize:4;\tsigned:0;",
];

function formatOf(printFmt: string): EventFormat {
  const path = "./test/event/format:";
  const lines = [
    `${path}name: event`,
    `${path}ID: 7`,
    `${path}format:`,
    `${path}\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;`,
    `${path}\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;`,
    ...FIELDS.map((field) => `${path}\tfield:${field}`),
    ...`print fmt: ${printFmt}`.split("\n").map((line) => `${path}${line}`),
  ];
  const parsed = parseFormats(new TextEncoder().encode(lines.join("\n")), "formats", {
    defect: (defect) => assert.fail(defect.message),
  });
  return parsed.byId.get(7) as EventFormat;
}

function recordOf(change: (view: DataView, bytes: Uint8Array) => void = () => {}): RecordBytes {
  const bytes = new Uint8Array(128);
  const view = new DataView(bytes.buffer);
  view.setInt32(4, 4242, true);
  view.setBigUint64(8, 0xffffffff81000004n, true);
  view.setInt32(16, -5, true);
  view.setUint8(20, 200);
  bytes.set(new TextEncoder().encode("bash"), 24);
  bytes.set([0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], 32);
  view.setUint32(48, 80 | (6 << 16), true);
  bytes.set(new TextEncoder().encode("hello\0"), 80);
  view.setUint32(52, (88 - 56) | (12 << 16), true);
  view.setUint32(88, 1, true);
  view.setUint32(92, 0xff, true);
  view.setUint32(96, 0x10000, true);
  view.setBigUint64(56, 0xffffffff82000010n, true);
  view.setUint32(64, 104 | (8 << 16), true);
  view.setBigUint64(104, 0x3n, true);
  change(view, bytes);
  return { view, bytes, begin: 0, length: 128, littleEndian: true };
}

function printed(printFmt: string, record = recordOf()): string | null {
  const compiled = compilePrintFormat(formatOf(printFmt), FACTS);
  assert.ok(compiled.ok, compiled.ok ? "" : `${printFmt}: ${compiled.error}`);
  return compiled.value.text(record);
}

const CASES: readonly (readonly [string, string])[] = [
  ['"%d %u %x", REC->number, REC->number, REC->number', "-5 4294967291 fffffffb"],
  ['"%ld %llu %hhu %hd", REC->number, REC->wide, REC->number, REC->small', "-5 18446744071578845188 251 200"],
  ['"%08x|%-6d|%6d|%+d|% d|%#x|%#o|%.4d"' + ", 255, 7, 7, 7, 7, 0, 8, 7", "000000ff|7     |     7|+7| 7|0x0|010|0007"],
  ['"%*d|%-*d|%.*s", 5, 7, 5, 7, 3, REC->comm', "    7|7    |bas"],
  ['"%s %s %s", REC->comm, __get_str(text), REC->static', "bash hello rcu_sched"],
  ['"%c%c%%", 65, REC->small - 100', "Ad%"],
  ['"%pS %ps %px", (void *)REC->wide, REC->wide, REC->wide', "start+0x4/0x60 start ffffffff81000004"],
  ['"%pS", (void *)REC->small', "0xc8"],
  [
    '"%pI6c %pI6 %pI4 %pi4", REC->addr, REC->addr, REC->addr, REC->addr',
    "2001:db8::1 2001:0db8:0000:0000:0000:0000:0000:0001 32.1.13.184 032.001.013.184",
  ],
  [
    '"%pM %pU %*phC", REC->addr, REC->addr, 3, REC->addr',
    "20:01:0d:b8:00:00 20010db8-0000-0000-0000-000000000001 20:01:0d",
  ],
  ['"%s", __print_hex(REC->addr, 4)', "20 01 0d b8"],
  ['"%s", __print_hex_str(REC->addr, 4)', "20010db8"],
  [
    '"%s", __print_array(__get_rel_dynamic_array(list), __get_rel_dynamic_array_len(list) / 4, 4)',
    "{0x1,0xff,0x10000}",
  ],
  ['"%s", __print_array(REC->addr, 3, sizeof(u8))', "{0x20,0x1,0xd}"],
  ['"%s", __print_dynamic_array(text, 1)', "{0x68,0x65,0x6c,0x6c,0x6f,0x0}"],
  ['"%s", __get_cpumask(mask)', "00000000,00000003"],
  ['"%s", __print_flags(REC->small, "|", { 8, "A" }, { 64, "B" }, { 1, "C" })', "A|B|0x80"],
  ['"%s", __print_flags(0, "|", { 8, "A" })', ""],
  ['"%s", __print_symbolic(REC->number, { -5, "five" }, { 1, "one" }, { -1, ((void *)0) })', "five"],
  ['"%s", __print_symbolic(REC->small, { 1, "one" })', "0xc8"],
  ['"%s", REC->number ? REC->small > 100 ? "big" : "small" : "none"', "big"],
  ['"%d %d %d %d", 7 / 2, -7 / 2, -7 % 3, 1 << 4 | 3 & 2 ^ 1', "3 -3 -1 19"],
  ['"%lu %d", ~0UL >> 60, REC->number >> 1', "15 -3"],
  ['"%d", REC->number < 1U', "0"],
  ['"%d %d", !REC->small, !!REC->small', "0 1"],
  ['"%llu", (unsigned long long)REC->number', "18446744073709551611"],
  ['"%u %d", (u8)REC->number, (s8)REC->small', "251 -56"],
  ['"%d", ({ int a = (REC->number); int b = (3); ((a) < (b) ? (a) : (b)); })', "-5"],
  ['"%x %x", REC->addr[3], *REC->addr', "b8 20"],
  ['"%x", ((u32 *)__get_rel_dynamic_array(list))[2]', "10000"],
  ['"%d %d", REC->ent.pid, (REC)->common_pid', "4242 4242"],
  ['"%u %u", ntohs(0x1234), __builtin_expect(!!(REC->small), 1)', "13330 1"],
  ['"%llu.%06llu", __print_ns_to_secs(1500000000), __print_ns_without_secs(1500000000) / 1000', "1.500000"],
  ['"a\\tb\\"c" "%d", 1', 'a\tb"c1'],
  ['"two\nlines %d", 1', "two\nlines 1"],
  ['"%d%", 1', "1%"],
];

test("print formats give what the kernel's C gives", () => {
  for (const [format, expected] of CASES) assert.equal(printed(format), expected, format);
});

test("a pointer whose address is not in the record is shown as one that is not known", () => {
  assert.equal(
    printed('"page=%p n=%d", (((struct page *)vmemmap_base) + (REC->wide)), 3'),
    "page=(____ptrval____) n=3",
  );
});

test("what needs more than the record is refused with the reason", () => {
  const reasons: readonly (readonly [string, RegExp])[] = [
    ['"%d", jiffies_to_msecs(REC->wide)', /'jiffies_to_msecs\(\)' is not known/],
    ['"%s", __print_symbolic(REC->small, { I_DIRTY, "I_DIRTY" })', /'I_DIRTY' is not known/],
    ['"%d", REC->nothing', /no field 'nothing'/],
    ['"%d %d", 1', /2 conversions and 1 arguments/],
    ['"%d", (1', /'\)' expected/],
    ['"%d", 1 @ 2', /not a C token/],
    ["REC->number", /does not begin with a format string/],
    [`"%d", ${"(".repeat(300)}1${")".repeat(300)}`, /nests deeper/],
    [`"%d", ${"-".repeat(300)}1`, /nests deeper/],
  ];
  for (const [format, reason] of reasons) {
    const compiled = compilePrintFormat(formatOf(format), FACTS);
    assert.ok(!compiled.ok, format);
    assert.match(compiled.error, reason);
  }
});

test("a record too short, or that points outside itself, prints nothing", () => {
  const short = { ...recordOf(), length: 20 };
  assert.equal(printed('"%d %s", REC->number, REC->comm', short), null);
  assert.equal(
    printed(
      '"%s", __get_str(text)',
      recordOf((view) => view.setUint32(48, 80 | (60 << 16), true)),
    ),
    null,
  );
  assert.equal(printed('"%x", REC->addr[16]'), null);
  assert.equal(printed('"%d", 1 / (REC->small - 200)'), null);
});

test("any text as a print format and any bytes as a record give text or nothing, within bounds", () => {
  const pieces = [
    "%",
    "d",
    "s",
    "*",
    "p",
    "I4",
    '"',
    ", ",
    "REC->number",
    "REC->comm",
    "(",
    ")",
    "__get_str(text)",
    "1",
    "{",
    "}",
    "?",
    ":",
    "-",
    "9999999",
  ];
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(...pieces), { maxLength: 20 }),
      fc.uint8Array({ minLength: 128, maxLength: 128 }),
      (parts, bytes) => {
        const compiled = compilePrintFormat(formatOf(`"${parts.join("")}`), FACTS);
        if (!compiled.ok) return;
        const record = { view: new DataView(bytes.buffer), bytes, begin: 0, length: 128, littleEndian: true };
        const text = compiled.value.text(record);
        assert.ok(text === null || text.length < 100_000);
      },
    ),
    { numRuns: 2000 },
  );
});

test("C literals and printk_formats", () => {
  assert.equal(unescaped('a\\n\\x41\\101\\"\\\\'), 'a\nAA"\\');
  assert.deepEqual(
    [...parsePrintkFormats('0xffffffff82000010 : "a %d\\n"\nnonsense\n0x10 : "b"\n')],
    [
      [0xffffffff82000010n, "a %d\n"],
      [0x10n, "b"],
    ],
  );
  assert.equal(parseExpressions('"a", 1, REC->x').ok, true);
});
