import assert from "node:assert/strict";
import { join } from "node:path";
import test from "node:test";
import type { DefectInput } from "../../base/defect.js";
import type { EventSource } from "../../model/collected.js";
import { type MadeBoot, madeCapture, markLine, memoryCapture, traceLine } from "../../testing/fakes/capture-memory.js";
import { traces } from "../../testing/places.js";
import { hiding, withFiles } from "../../testing/samples/captures.js";
import { readCapture } from "../capture/capture.js";
import type { CaptureFiles } from "../files/files.js";
import { eventSourceOf } from "./sources.js";

interface Chosen {
  readonly source: EventSource | null;
  readonly codes: readonly string[];
  readonly defects: readonly DefectInput[];
}

function choose(files: CaptureFiles, boot: "old" | "new" = "old"): Chosen {
  const capture = readCapture(files);
  assert.ok(capture.ok);
  const defects: DefectInput[] = [];
  const source = eventSourceOf(boot, capture.value, files, { defect: (found) => defects.push(found) });
  return { source, codes: defects.map(({ code }) => code), defects };
}
const made = (
  boots: { readonly old?: MadeBoot; readonly new?: MadeBoot },
  more: Readonly<Record<string, string>> = {},
): Chosen => choose(memoryCapture(madeCapture(boots, more)));
function tasks(source: EventSource | null): readonly string[] {
  const names: string[] = [];
  source?.read({
    chunk: ({ count, comm, strings }) => {
      for (let i = 0; i < count; i++) names.push(strings.stringOf(comm[i] as number));
    },
    defect: () => {},
  });
  return names;
}
const OTHER = "Linux host 7.2.13 #1 SMP Mon Nov 23 09:54:41 UTC 2026 x86_64 GNU/Linux\n";
const TRACE = markLine(1, "luo: vm_pause") + traceLine(2, "sched_waking: x=1", "other-42");

test("pages beat text, wherever the boot's formats are there; without either the other is used", () =>
  withFiles(join(traces, "plain.tar.gz"), (files) => {
    assert.equal(choose(files).source?.dialect, "ring-buffer");
    assert.equal(choose(files, "new").source?.dialect, "ring-buffer");
    for (const hidden of [/^ring\/.*pipe_raw$/, /^old\/formats\.gz$/]) {
      assert.equal(choose(hiding(files, hidden)).source?.dialect, "ftrace-text");
    }
    const neither = choose(hiding(files, /^ring\/trace$|^old\/formats\.gz$/));
    assert.deepEqual([neither.source, neither.codes], [null, ["events-unreadable"]]);
    const assumed = choose(hiding(files, /^old\/header_page$/));
    assert.deepEqual([assumed.source?.dialect, assumed.codes], ["ring-buffer", ["ring-layout-assumed"]]);
  }));

test("the old ring's text counts where both boots ran one build, and is foreign otherwise", () => {
  assert.equal(made({ old: { trace: TRACE }, new: {} }).source?.dialect, "ftrace-text");
  for (const other of [OTHER, ""]) {
    const { source, defects } = made({ old: { trace: TRACE }, new: { uname: other } });
    assert.equal(source, null);
    assert.deepEqual(
      defects.map(({ code, severity, file }) => [code, severity, file]),
      [["ring-text-foreign", "error", "ring/trace"]],
    );
    assert.match(defects[0]?.message ?? "", /7\.3\.4 #2 .* by another \((?:7\.2\.13 #1|unknown)/);
  }
});

test("without a new boot the text is its own kernel's, unless the ring says that it is a previous boot's", () => {
  assert.equal(made({ old: { trace: TRACE } }).source?.dialect, "ftrace-text");
  assert.equal(
    made({ old: { trace: TRACE } }, { "ring/last_boot_info": "# Current\n" }).source?.dialect,
    "ftrace-text",
  );
  assert.deepEqual(made({ old: { trace: TRACE } }, { "ring/last_boot_info": "ffffffff91800000\t[kernel]\n" }).codes, [
    "ring-text-foreign",
  ]);
});

test("tasks of the old ring's text get the old boot's names: the new kernel prints its own for the same pids", () => {
  const named = made({ old: { trace: TRACE }, new: {} }, { "old/saved_cmdlines": "1 systemd\n" });
  assert.deepEqual(tasks(named.source), ["systemd", "<...>"]);
  assert.deepEqual(tasks(made({ old: { trace: TRACE } }).source), ["init", "other"], "its own kernel knows them");
});

test("a boot without a buffer has no source", () => {
  assert.deepEqual(made({ old: {}, new: {} }), { source: null, codes: [], defects: [] });
  assert.equal(choose(memoryCapture(madeCapture({ old: { trace: TRACE } })), "new").source, null);
});

test("a lost boot CPU is reported for text as for pages, by its counters", () => {
  const { codes } = made(
    { old: { trace: TRACE, clock: "mono" }, new: {} },
    { "ring/per_cpu/cpu0/stats": "entries: 0\n" },
  );
  assert.deepEqual(codes, ["ring-cpu-missing"]);
});
