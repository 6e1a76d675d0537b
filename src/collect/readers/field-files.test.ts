/** The inputs of other projects' kinds that are kept beside the worktree; skipped if they are absent. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { DefectInput } from "../../base/defect.js";
import { projectRoot } from "../../testing/places.js";
import { openTraceFile } from "./trace-file.js";

const folder = join(projectRoot, "../shared/field");

/** File, events, and the texts or names that some of them have. */
const FILES: readonly (readonly [string, number, RegExp])[] = [
  ["text/graph-pipe.txt", 3, /^vfs_read\(\) \{$/],
  ["text/graph-pipe-abs.txt", 3, /^x\(\);$/],
  ["text/pipe-latency.txt", 1, /^luo: vm_pause$/],
  ["text/raw_data.txt", 1, /^# 1 buf: 61 62 63 64$/],
  ["text/raw_data-after-mark.txt", 2, /^luo: vm_pause vm=7$/],
  ["text/marker-symoffset.txt", 2, /^luo: vm_resume$/],
  ["text/printk-msg-only.txt", 1, /^just a string$/],
  ["text/hwlat.txt", 2, /99\.98100/],
  ["text/wakeup.txt", 4, /==> \[003\]/],
  ["text/blk.txt", 2, /W 76 \+ 8/],
  ["text/graph-report.txt", 8, /ret=0x5/],
  ["text/graph-report-tail.txt", 7, /ret=-22/],
  ["text/avocado3105.txt", 5, /0xffffffffffffffd6/],
  ["text/func-repeats.txt", 4, /repeats: 12/],
  ["text/graph-irq.txt", 5, /Overruns: 3/],
  ["text/uprobe-nul-newline.trace", 81, /bad=\(fault\)/],
  ["text/kvm.txt", 15, /reason MSR_WRITE/],
  ["text/bpf_trace_printk.txt", 5, /^oldest$/],
  ["text/bputs.txt", 1, /just a string/],
  ["text/name-tmux-report.txt", 1, /tmux: client/],
  ["text/clock-neg.txt", 2, /comm=a/],
  ["text/header-long.txt", 1, /comm=a/],
  ["text/q-iso-deep.txt", 1, /new_state 4/],
  ["text/trace.txt.gz", 1, /comm=a/],
  ["klog/dm-104days.txt", 3, /^after a year$/],
  ["klog/dm-H.txt", 3, /^hub$/],
  ["klog/dm-J.txt", 2, /^hub$/],
  ["klog/dm-T.txt", 2, /^hub$/],
  ["klog/dm-crlf.txt", 3, /^b$/],
  ["klog/dm-iso.txt", 2, /^hub$/],
  ["klog/dm-iso-x.txt", 2, /^hub$/],
  ["klog/dm-kmsg.txt", 3, /^frag\nline two$/],
  ["klog/dm-nul.txt", 3, /^a$/],
  ["klog/dm-syslog.txt", 2, /^hub$/],
  ["klog/jr-export.txt", 2, /^hub$/],
  ["klog/jr-isop.txt", 2, /^hub$/],
  ["klog/jr-json.txt", 2, /^hub$/],
  ["klog/jr-mono.txt", 3, /^hub$/],
  ["klog/jr-short.txt", 2, /^hub$/],
  ["klog/ser-firmware.txt", 3, /^Linux version 6$/],
  ["klog/ser-tio.txt", 2, /^hub$/],
  ["tracedat/tracedat-option8-long.dat", 1, /hi$/],
  ["tracedat/tracedat-20000-cpus-one-region.dat", 64, /hi$/],
];

for (const [name, events, text] of FILES) {
  const path = join(folder, name);
  test(`${name} holds ${events} events`, { skip: !existsSync(path) && `${path} is not there` }, () => {
    const defects: DefectInput[] = [];
    const sink = { defect: (defect: DefectInput): void => void defects.push(defect) };
    const opened = openTraceFile(path, sink);
    assert.ok(opened.ok, opened.ok ? "" : opened.error);
    const texts: string[] = [];
    for (const part of opened.value.parts) {
      part.source().read({
        ...sink,
        chunk(chunk) {
          for (let row = 0; row < chunk.count; row++) texts.push(chunk.text(row));
        },
      });
    }
    opened.value.close();
    assert.equal(texts.length, events);
    assert.ok(
      texts.some((each) => text.test(each)),
      texts.join("\n"),
    );
    assert.deepEqual(
      defects.filter(({ code }) => code === "text-undecoded"),
      [],
    );
  });
}
