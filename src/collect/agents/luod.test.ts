import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import type { DefectInput } from "../../base/defect.js";
import { type LuodLog, parseLuodLog, stampedText } from "./luod.js";

function parse(text: string): LuodLog & { readonly defects: readonly DefectInput[] } {
  const defects: DefectInput[] = [];
  return { ...parseLuodLog(text, "agents/luod.old.log", "old", { defect: (found) => defects.push(found) }), defects };
}

test("a log as luod prints it: who subscribed, and whose READY it was, by the connection", () => {
  const { messages, counts, defects } = parse(
    [
      "[INFO] Listening on /run/luod/liveupdate.sock",
      "[INFO] No preserved state found. Starting fresh.",
      "[INFO] New connection accepted (fd=5)",
      '[DEBUG] Received from fd=5: { "cmd": "SUBSCRIBE", "id": "vm-1" }',
      '{"event":"START_PRESERVATION"}',
      '[DEBUG] Received from fd=5: { "cmd": "READY" }',
      "[INFO] Client fd=5 disconnected",
      "[INFO] New connection accepted (fd=5)",
      '[DEBUG] Received from fd=5: { "cmd": "READY" }',
      "[INFO] Found preserved session 'luod-internal'. Post-kexec restoration detected.",
      "",
    ].join("\n"),
  );
  assert.deepEqual(
    messages.map(({ line, name, fd, session }) => [line, name, fd, session]),
    [
      [2, "FRESH", null, null],
      [3, "CONNECTED", 5, null],
      [4, "SUBSCRIBE", 5, "vm-1"],
      [5, "START_PRESERVATION", null, null],
      [6, "READY", 5, "vm-1"],
      [7, "DISCONNECTED", 5, "vm-1"],
      [8, "CONNECTED", 5, null],
      [9, "READY", 5, null],
      [10, "FOUND", null, "luod-internal"],
    ],
  );
  assert.deepEqual(
    [counts.lines, counts.events, counts.structural, counts.undecoded, defects],
    [10, 9, 1, 0, []],
    "an fd that is used again is another client's",
  );
});

test("stamps of journalctl's outputs, with and without a sender", () => {
  const ns = (clock: "monotonic" | "realtime", value: bigint, resolutionNs = 1_000) => ({
    clock,
    ns: value,
    resolutionNs,
  });
  for (const [line, stamp] of [
    ["[    6.596839] host luod[123]: {}", ns("monotonic", 6_596_839_000n)],
    ["[12345.000001] {}", ns("monotonic", 12_345_000_001_000n)],
    ["1795431740.226790 host luod[123]: {}", ns("realtime", 1_795_431_740_226_790_000n)],
    ["2026-11-23T09:02:20+0000 host luod[9]: {}", ns("realtime", 1_795_424_540_000_000_000n, 1_000_000_000)],
    ["2026-11-23T10:02:20.226790+01:00 host luod[9]: {}", ns("realtime", 1_795_424_540_226_790_000n)],
    ["2026-11-23T09:02:20.226790Z {}", ns("realtime", 1_795_424_540_226_790_000n)],
    ["luod[9]: {}", null],
    ["{}", null],
    ["2026-13-99T09:02:20Z {}", null],
  ] as const) {
    const found = stampedText(line);
    assert.deepEqual(found.stamp, stamp, line);
    if (stamp !== null || line.endsWith(": {}")) assert.equal(found.text, "{}", line);
  }
  assert.equal(stampedText("[DEBUG] Received from fd=5: {}").text, "[DEBUG] Received from fd=5: {}");
});

test("lines that are not messages are kept as defects with their place, and counted", () => {
  const { counts, defects } = parse(
    'hello\n{"cmd":"READY"\n{"cmd":"DANCE"}\n{"cmd":"READY"}\n[1]\nluod: Invalid JSON from fd=7: x\n',
  );
  assert.deepEqual([counts.lines, counts.events, counts.undecoded], [6, 1, 5]);
  assert.deepEqual(
    defects.map(({ code, line }) => [code, line]),
    [1, 2, 3, 5, 6].map((line) => ["luod-undecoded", line]),
  );
});

test("an id that no session can have names none", () => {
  for (const id of ['""', "7", "null", `"${"x".repeat(64)}"`]) {
    assert.deepEqual(
      parse(`{"cmd":"CLAIM","id":${id}}`).messages.map(({ session }) => session),
      [null],
      id,
    );
  }
});

test("anything at all: every line is counted once, and no stamp is out of a stated form", () => {
  const piece = fc.constantFrom(
    "[    6.596839] ",
    "1795431740.226790 ",
    "2026-11-23T09:02:20+0000 ",
    "host luod[1]: ",
    "[DEBUG] Received from fd=5: ",
    '{"cmd":"SUBSCRIBE","id":"a"}',
    '{"event":"START_PRESERVATION"}',
    "[INFO] Client fd=5 disconnected",
    "\n",
    "\r\n",
    "\x1b[0m",
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(piece, fc.string({ unit: "binary" })), { maxLength: 40 }), (pieces) => {
      const text = pieces.join("");
      const { counts, messages } = parse(text);
      const lines = text === "" ? 0 : text.split("\n").length - (text.endsWith("\n") ? 1 : 0);
      assert.deepEqual([counts.lines, messages.length], [lines, counts.events]);
      assert.equal(counts.events + counts.structural + counts.undecoded, lines);
    }),
  );
});
