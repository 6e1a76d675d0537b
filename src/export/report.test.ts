import assert from "node:assert/strict";
import { test } from "node:test";
import { inflateRawSync } from "node:zlib";
import type { LiveUpdate } from "../model/live-update.js";
import { SpanTableBuilder } from "../model/span-table.js";
import { parseReportIndex, reportIndex } from "../report/report-index.js";
import { decodeLiveUpdate } from "../report/update-codec.js";
import { REPORT_DATA_PLACE, renderReportOf } from "./report.js";

const HOSTILE = `</script><script>alert(1)</script><!-- <img src=x onerror=alert(2)> ${REPORT_DATA_PLACE}`;
const TEMPLATE = `<html><title><!-- blackout:title --></title><body>${REPORT_DATA_PLACE}</body></html>`;

function hostileUpdate(): LiveUpdate {
  const spans = new SpanTableBuilder();
  spans.add({
    beginNs: 0,
    endNs: 10,
    parent: -1,
    kind: "function",
    name: HOSTILE,
    detail: HOSTILE,
    boot: "old",
    cpu: 0,
    pid: 1,
    task: HOSTILE,
    evidence: HOSTILE,
    flags: 0,
  });
  return {
    document: {
      format: "blackout-live-update",
      version: 1,
      capture: { name: HOSTILE, kernel: { old: HOSTILE, new: null }, probeLevel: null, labels: { [HOSTILE]: HOSTILE } },
      outcome: "incomplete",
      outcomeReason: HOSTILE,
      clock: { method: "none", uncertaintyNs: null, parts: [], tscKhz: null, rejected: [] },
      blackout: {
        basis: null,
        beginNs: null,
        endNs: null,
        durationNs: null,
        uncertaintyNs: null,
        evidence: { begin: null, end: null },
      },
      phases: [],
      vms: [],
      sessions: [],
      losses: [],
      notSeen: [],
      health: { counts: [], events: [] },
      seam: { beginNs: null, endNs: null, durationNs: null, uncertaintyNs: null },
      sources: [],
      defects: [],
    },
    spans: spans.build(),
    printk: [],
  };
}

/** What the page's element `id` holds, decompressed. */
function elementBytes(page: string, id: string): Uint8Array {
  const text = new RegExp(`<script type="application/json" id="${id}"[^>]*>"([A-Za-z0-9+/=]*)"</script>`).exec(page);
  assert.ok(text, `no element ${id}`);
  return inflateRawSync(Buffer.from(text[1] as string, "base64"));
}

test("the report holds an index and every update, decodable", () => {
  const update = hostileUpdate();
  const page = renderReportOf(reportIndex([update, update], "two"), [update, update], TEMPLATE);
  const index = parseReportIndex(new TextDecoder().decode(elementBytes(page, "blackout-index")));
  assert.ok(index.ok);
  assert.equal(index.value.entries.length, 2);
  for (const id of ["blackout-update-0", "blackout-update-1"]) {
    const back = decodeLiveUpdate(elementBytes(page, id));
    assert.ok(back.ok);
    assert.deepEqual(back.value.document, update.document);
    assert.deepEqual(back.value.spans.strings, update.spans.strings);
  }
});

test("no text of a capture or of the title becomes markup", () => {
  const page = renderReportOf(reportIndex([hostileUpdate()], HOSTILE), [hostileUpdate()], TEMPLATE);
  assert.ok(!page.includes("alert(1)</script>"));
  assert.ok(!page.includes("<img"));
  assert.equal(page.match(/<script/g)?.length, 2);
  assert.equal(page.match(/<\/script>/g)?.length, 2);
  assert.ok(page.includes("<title>&lt;/script&gt;&lt;script&gt;"));
});

test("a template without one place for data is refused", () => {
  assert.throws(() => renderReportOf(reportIndex([], ""), [], "<html></html>"), RangeError);
  assert.throws(() => renderReportOf(reportIndex([], ""), [], `${TEMPLATE}${REPORT_DATA_PLACE}`), RangeError);
});
