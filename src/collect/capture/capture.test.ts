import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { madeCapture, manifest, memoryCapture } from "../../testing/fakes/capture-memory.js";
import { activeClock, parseUname, readCapture, sameBuild } from "./capture.js";

const read = (files: Readonly<Record<string, string | Uint8Array>>) => readCapture(memoryCapture(files));
const refusal = (json: string): string => {
  const found = read({ "capture.json": json });
  return found.ok ? "read" : `${found.error.code}: ${found.error.message}`;
};

test("the manifest: names, folders, labels of text, numbers and truth", () => {
  const labels = { b: 2, a: "x", c: true, d: null };
  const found = read({ "capture.json": manifest({ labels, kernel: { old: "6.19" } }) });
  assert.ok(found.ok);
  assert.equal(found.value.name, "made");
  assert.deepEqual(found.value.labels, { a: "x", b: "2", c: "true" });
  assert.deepEqual(found.value.kernel, { old: "6.19", new: null });
  assert.deepEqual(
    found.value.defects.filter(({ code }) => code === "label-not-text").map(({ message }) => /"d"/.test(message)),
    [true],
  );
});

test("labels beyond a thousand are counted in a defect, and one named __proto__ is a label", () => {
  const many = Object.fromEntries(Array.from({ length: 1_500 }, (_, i) => [`l${i}`, "x"]));
  const found = read({ "capture.json": manifest({ labels: many }) });
  assert.ok(found.ok);
  assert.equal(Object.keys(found.value.labels).length, 1_000);
  assert.ok(found.value.defects.some(({ code, message }) => code === "labels-too-many" && /1,500/.test(message)));
  const odd = read({ "capture.json": manifest().replace('"labels":{}', '"labels":{"__proto__":"x"}') });
  assert.ok(odd.ok && Object.hasOwn(odd.value.labels, "__proto__"));
});

test("faults of a manifest are named", () => {
  for (const [json, expected] of [
    ["", /^bad-json: .*not JSON/],
    ["[]", /^bad-json: .*not an object/],
    ["{}", /^wrong-format: .*missing/],
    [manifest({ format: "trace" }), /^wrong-format: .*"trace"/],
    [manifest({ version: 2 }), /^newer-version: .*version 2 .* 1/],
    [manifest({ version: 1.5 }), /^bad-json: .*version is 1\.5/],
    [manifest({ version: "1" }), /^bad-json: .*version/],
    [manifest({ name: "" }), /^bad-json: .*name/],
    [manifest({ boots: {} }), /^bad-json: .*neither/],
    [manifest({ boots: 7 }), /^bad-json: .*boots is missing/],
    [manifest({ boots: { old: { files: "../x" } } }), /^bad-json: .*old\.files is not a folder inside/],
    [manifest({ boots: { new: { files: "/etc" } } }), /^bad-json: .*new\.files/],
    [manifest({ boots: { old: { files: "old", ring: "a/../.." } } }), /^bad-json: .*ring/],
    [manifest({ boots: { old: { files: "b" }, new: { files: "b" } } }), /^bad-json: .*one folder/],
    [manifest({ boots: { old: { files: "b", rings: "luo" } } }), /^bad-json: .*old\.rings is not a list/],
    [manifest({ boots: { old: { files: "b", rings: ["../x"] } } }), /^bad-json: .*old\.rings is not a list/],
    [manifest({ boots: { old: { files: "b", rings: "abcdefghi".split("") } } }), /^bad-json: .*at most 8/],
    [manifest({ boots: { old: { files: "b", ring: "r", rings: ["l", "r"] } } }), /^bad-json: .*that of another ring/],
    [manifest({ boots: { old: { files: "b", rings: ["l", "l"] } } }), /^bad-json: .*names a folder twice/],
  ] as const) {
    assert.match(refusal(json), expected, json);
  }
  const large = read({ "capture.json": `${manifest()}${" ".repeat(1 << 20)}` });
  assert.match(large.ok ? "" : large.error.message, /larger than 1 MiB/);
});

test("a missing optional file is a defect that says what it costs, not an exit", () => {
  const found = read(madeCapture({ old: { trace: "" }, new: { trace: "" } }));
  assert.ok(found.ok);
  const missing = found.value.defects.filter(({ code }) => code === "file-missing");
  assert.deepEqual(
    missing.map(({ file, severity }) => `${severity} ${file}`),
    [
      "warning old/dmesg",
      "warning old/clock_pairs",
      "note old/saved_cmdlines",
      "warning new/dmesg",
      "warning new/clock_pairs",
    ],
  );
  const paged = read({ ...madeCapture({ new: {} }), "new/per_cpu/cpu0/trace_pipe_raw": "x" });
  assert.ok(
    paged.ok && paged.value.defects.some(({ file, severity }) => file === "new/formats.gz" && severity === "error"),
  );
});

test("a buffer's CPUs come from its folder, in order; other names are ignored", () => {
  const found = read({
    ...madeCapture({ old: { trace: "" } }),
    "ring/per_cpu/cpu10/stats": "entries: 4\n",
    "ring/per_cpu/cpu2/trace_pipe_raw": "x",
    "ring/per_cpu/cpu2/stats": "entries: 7\n",
    "ring/per_cpu/cpux/stats": "",
    "ring/per_cpu/cpu99999/stats": "",
    "ring/per_cpu/cpu1/trace": "",
  });
  assert.ok(found.ok);
  assert.deepEqual(
    found.value.boots.old?.buffer?.cpus.map(({ cpu, pages, stats }) => [cpu, pages, stats?.entries ?? null]),
    [
      [2, "ring/per_cpu/cpu2/trace_pipe_raw", 7],
      [10, null, 4],
    ],
  );
});

test("further rings are read beside the first, each with the kernel's size of it; one without files is missed", () => {
  const found = read({
    ...madeCapture({ old: { trace: "" } }),
    "capture.json": manifest({
      boots: { old: { files: "old", ring: "ring", rings: ["luo", "vcpus"] }, new: { files: "new" } },
    }),
    "luo/per_cpu/cpu0/stats": "entries: 4\n",
    "luo/per_cpu/cpu0/buffer_size_kb": "19\n",
    "luo/per_cpu/cpu1/buffer_size_kb": "7 (expanded: 1408)\n",
    "luo/trace_clock": "[local] global\n",
  });
  assert.ok(found.ok);
  const old = found.value.boots.old;
  assert.deepEqual(
    old?.rings.map(({ folder, clock }) => [folder, clock]),
    [["luo", "local"]],
  );
  assert.deepEqual(
    old?.rings[0]?.cpus.map(({ roomBytes }) => roomBytes),
    [19 * 1024, null],
  );
  assert.ok(
    found.value.defects.some(
      ({ code, file, severity }) => `${code} ${file} ${severity}` === "file-missing vcpus error",
    ),
  );
});

test("the active clock is the bracketed one; any other name is unknown", () => {
  assert.equal(activeClock("[local] global counter x86-tsc\n"), "local");
  assert.equal(activeClock("local [x86-tsc]\n"), "x86-tsc");
  for (const text of ["", "local global", "[sundial]", "[]"]) assert.equal(activeClock(text), "unknown");
});

test("what a record costs is read where the recorder measured it, and nothing is made of other text", () => {
  const costsOf = (text: string): unknown => {
    const capture = read({ ...madeCapture({ old: {} }), "old/costs": text });
    return capture.ok && capture.value.boots.old?.costs;
  };
  assert.deepEqual(costsOf("event 312\ncall 540\n"), { eventNs: 312, callNs: 540, returnNs: null });
  assert.equal(costsOf("call 540\n"), null);
  assert.equal(costsOf("event -5\nevent 99999999999\nevent x\n"), null);
});

test("uname gives release and build; builds are the same if both are known and equal", () => {
  const uname = (release: string, build: string): string => `Linux (none) ${release} ${build} x86_64 GNU/Linux\n`;
  assert.deepEqual(parseUname(uname("7.3.4-luo", "#2 SMP PREEMPT Mon Nov 23 09:54:41 UTC 2026")), {
    nodeName: null,
    release: "7.3.4-luo",
    build: "#2 SMP PREEMPT Mon Nov 23 09:54:41 UTC 2026",
  });
  assert.equal(parseUname("Linux host-17 7.3.4 #2 SMP x86_64 GNU/Linux")?.nodeName, "host-17");
  for (const text of ["", "Linux", "Darwin host 24.0 #1 SMP x", "Linux host 7.3 SMP now x86_64"])
    assert.equal(parseUname(text), null);
  const same = (old: string, fresh: string): boolean => {
    const found = read(madeCapture({ old: { uname: old }, new: { uname: fresh } }));
    return found.ok && sameBuild(found.value);
  };
  assert.ok(same(uname("7.3", "#2 SMP"), uname("7.3", "#2 SMP")));
  assert.ok(!same(uname("7.3", "#2 SMP"), uname("7.3", "#3 SMP")));
  assert.ok(!same(uname("7.2", "#2 SMP"), uname("7.3", "#2 SMP")));
  assert.ok(!same("", ""), "two unknown builds are not one");
});

test("any JSON as a manifest: a capture, or an error with a code and a sentence", () => {
  const shaped = fc.record(
    {
      format: fc.constantFrom("blackout-capture", 1, null),
      version: fc.constantFrom(1, 0, 2, "1"),
      name: fc.oneof(fc.string(), fc.integer()),
      boots: fc.dictionary(
        fc.constantFrom("old", "new"),
        fc.oneof(fc.record({ files: fc.string(), ring: fc.string() }), fc.jsonValue()),
      ),
      labels: fc.oneof(fc.dictionary(fc.string(), fc.jsonValue()), fc.jsonValue()),
      kernel: fc.jsonValue(),
    },
    { requiredKeys: ["format", "version"] },
  );
  fc.assert(
    fc.property(
      fc.oneof(
        shaped.map((value) => JSON.stringify(value)),
        fc.json(),
        fc.string(),
      ),
      (json) => {
        const found = read({ "capture.json": json });
        if (!found.ok) assert.match(`${found.error.code} ${found.error.message}`, /^[a-z-]+ \S/);
      },
    ),
    { numRuns: 500 },
  );
});
