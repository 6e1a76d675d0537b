import assert from "node:assert/strict";
import { test } from "node:test";
import type { DefectInput } from "../../base/defect.js";
import { singleCaptures } from "../../testing/places.js";
import { openCaptureFiles } from "../capture/capture-files.js";
import { compilePrintFormat } from "../event-text/print-format.js";
import { parseFormats } from "./event-format.js";

function parse(text: string) {
  const defects: DefectInput[] = [];
  const formats = parseFormats(new TextEncoder().encode(text), "old/formats.gz", {
    defect: (defect) => defects.push(defect),
  });
  return { formats, defects };
}

function lines(path: string, body: string): string {
  return body
    .split("\n")
    .map((line) => `${path}:${line}`)
    .join("\n");
}

test("a format file's fields, by shape", () => {
  const { formats, defects } = parse(
    lines(
      "./sched/thing/format",
      `name: thing
ID: 301
format:
	field:unsigned short common_type;	offset:0;	size:2;	signed:0;
	field:int common_pid;	offset:4;	size:4;	signed:1;

	field:char comm[16];	offset:8;	size:16;	signed:0;
	field:__data_loc char[] name;	offset:24;	size:4;	signed:1;
	field:__rel_loc u64[] list;	offset:28;	size:4;	signed:0;
	field:unsigned long args[6];	offset:32;	size:48;	signed:0;
	field:char buf[];	offset:80;	size:0;	signed:0;
	field:const char * what;	offset:88;	size:8;	signed:0;
	field:s32 ret;	offset:96;	size:4;	signed:1;

print fmt: "%s", REC->comm`,
    ),
  );
  assert.deepEqual(defects, []);
  const format = formats.byId.get(301);
  assert.equal(format?.system, "sched");
  assert.deepEqual(
    format?.fields.map(({ name, shape, offset, size, signed, isText, elementBytes, type }) =>
      [name, shape, offset, size, signed, isText, elementBytes, type].join(" "),
    ),
    [
      "comm text 8 16 false true 1 char[16]",
      "name data-loc 24 4 true true 1 __data_loc char[]",
      "list rel-loc 28 4 false false 8 __rel_loc u64[]",
      "args bytes 32 48 false false 8 unsigned long[6]",
      "buf rest 80 0 false true 1 char[]",
      "what integer 88 8 false false 8 const char *",
      "ret integer 96 4 true false 4 s32",
    ],
  );
  assert.deepEqual(
    format?.commonFields.map(({ name }) => name),
    ["common_type", "common_pid"],
  );
  assert.equal(formats.pidOffset, 4);
});

test("a format that cannot be used is a defect of its own, with its line", () => {
  const good = lines("./a/good/format", "name: good\nID: 1");
  const { formats, defects } = parse(
    [
      lines("./a/nameless/format", "ID: 2"),
      lines("./a/huge/format", "name: huge\nID: 65536"),
      good,
      lines("./a/again/format", "name: again\nID: 1"),
      "no prefix at all",
    ].join("\n"),
  );
  assert.deepEqual([...formats.names], ["good"]);
  assert.deepEqual(
    defects.map(({ line, message }) => [line, message]),
    [
      [1, "The format of ./a/nameless/format cannot be used: it has no name."],
      [2, "The format of ./a/huge/format cannot be used: it has no ID."],
      [6, "The format of ./a/again/format cannot be used: its ID is taken."],
    ],
  );
});

/** What cannot be printed as the kernel prints it, because its format names what only the kernel knows. */
const UNPRINTABLE =
  /^(?:dev_pm_qos_\w+|pm_qos_update_\w+|mm_vmscan_throttled|\w*writeback\w*|cache_tag_\w+|prq_report)$/;

test("every event of the captured kernels has a print format that compiles, but for a known few", async () => {
  let compiled = 0;
  for (const path of singleCaptures()) {
    const files = await openCaptureFiles(path);
    assert.ok(files.ok);
    try {
      for (const folder of ["old", "new"]) {
        const bytes = files.value.bytes(`${folder}/formats.gz`, 1 << 28, { defect: () => {} });
        if (bytes === null) continue;
        const formats = parseFormats(bytes, folder, { defect: (defect) => assert.fail(defect.message) });
        for (const format of formats.byId.values()) {
          const found = compilePrintFormat(format, { longBytes: 8, strings: new Map(), symbols: () => null });
          if (found.ok) compiled += 1;
          else assert.match(format.name, UNPRINTABLE, `${format.name}: ${found.error}`);
        }
      }
    } finally {
      files.value.close();
    }
  }
  assert.ok(compiled > 5000);
});
