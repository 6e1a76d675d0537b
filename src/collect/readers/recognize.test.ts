import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { memorySource } from "../../base/bytes/byte-source.js";
import type { DefectInput } from "../../base/defect.js";
import { openTraceFile, readTrace } from "./trace-file.js";

const bytesOf = (text: string): Buffer => Buffer.from(text, "latin1");
const EVENT = "            app-99      [001] d..2.   100.000001: sched_wakeup: comm=a pid=77 prio=120 target_cpu=003\n";
const GRAPH = " 1)               |  vfs_read() {\n 1)   0.123 us    |    x();\n 1)   1.449 us    |  }\n";
const LOG = "[    0.100000] a\n[    0.200000] b\n";
const QEMU = "2026-11-30T10:00:01.123456Z runstate_set current_run_state 9 (running) new_state 4 (paused)\n";

function whatIs(bytes: Uint8Array): string {
  const found = readTrace(memorySource("x", bytes), { defect: () => {} });
  return found.ok ? found.value.what : `refused: ${found.error}`;
}

test("a text is recognized by its lines, whatever stands before them", () => {
  const before = {
    nothing: "",
    firmware:
      "\x1b[2J\x1b[01;01HSeaBIOS (version 1.16.2)\nMachine UUID 1\n\niPXE (http://ipxe.org)\nBooting from ROM..\n".repeat(
        5,
      ),
    "a command line": "2026-11-30 10:00:00.000+0000: starting up\n".concat("-device x \\\n".repeat(200)),
    "a page": `<style>${"body{}\n".repeat(20_000)}</style>\n`,
    "a byte order mark": "\xef\xbb\xbf",
    NULs: "\0\0\0\0\n",
  };
  for (const [what, text] of Object.entries(before)) {
    for (const [content, expected] of [
      [`# tracer: nop\n#\n${EVENT}`, "ftrace text"],
      [EVENT, "ftrace text"],
      [GRAPH, "ftrace text"],
      ["  100.000001 |   1)   app-99    |               |  vfs_read() {\n", "ftrace text"],
      [" kexec-99        0..... 11999999us : tracing_mark_write: luo: vm_pause\n", "ftrace text"],
      [`cpus=4\n${EVENT}`, "ftrace text"],
      [LOG, "kernel log"],
      [QEMU, "QEMU log"],
    ] as const) {
      assert.equal(whatIs(bytesOf(text + content)), expected, `${content.slice(0, 40)} behind ${what}`);
    }
  }
});

test("the kind that most lines are of is the file's", () => {
  assert.equal(whatIs(bytesOf(`${LOG.repeat(20)}[    0.3] ${EVENT}`)), "kernel log");
  assert.equal(whatIs(bytesOf(`${EVENT.repeat(20)}${LOG}`)), "ftrace text");
});

test("what cannot be read is named, with what to do", () => {
  const utf16 = Buffer.from(`\uFEFF${EVENT}`, "utf16le");
  for (const bytes of [utf16, utf16.subarray(2), Buffer.from(utf16).swap16()]) {
    assert.match(whatIs(bytes), /refused: UTF-16 text.*iconv -f UTF-16/);
  }
  const header = "# tracer: nop\n#\n# entries-in-buffer/entries-written: 2/2   #P:4\n#\n";
  assert.match(
    whatIs(bytesOf(`${header}99 1 100000001 316 a 77 120 3\n99 1 100000002 316 a 77 120 3\n`)),
    /option raw/,
  );
  assert.match(
    whatIs(bytesOf(`${header}0000004d 00000001 00ab c0ffee00\n0000004d 00000001 00ab c0ffee00\n`)),
    /option hex/,
  );
  assert.match(
    whatIs(bytesOf(`${header}sched_wakeup: comm=a pid=77\nsched_switch: prev_comm=a\n`)),
    /option nocontext-info/,
  );
  assert.match(whatIs(bytesOf(`${header}\x01\x02\x03\n\x04\x05\x00\x00\n`)), /option bin/);
  assert.match(whatIs(bytesOf("hello\nworld\n")), /unrecognized format; supported: trace\.dat, .*gzip/);
  assert.match(whatIs(bytesOf("hello\nlog of qemu-system-x86_64\n")), /nearest: a QEMU log, by line 2/);
});

test("a trace inside a page of HTML ends where the page goes on", () => {
  const page = `<!DOCTYPE html>\n<html><script>x</script>\n<script class="trace-data" type="application/text">\n# tracer: nop\n#\n${EVENT}${EVENT}</script>\n</body></html>\n`;
  const found = readTrace(memorySource("x", bytesOf(page)), { defect: () => {} });
  assert.ok(found.ok);
  const defects: DefectInput[] = [];
  const counts = found.value.parts[0]?.source().read({ defect: (defect) => defects.push(defect), chunk: () => {} });
  assert.deepEqual([counts?.events, counts?.undecoded], [2, 0]);
  assert.deepEqual(
    defects.map(({ code }) => code),
    ["text-preamble"],
  );
});

const programs = ["gzip", "zstd", "xz", "bzip2"].filter((program) => {
  try {
    execFileSync(program, ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
});

for (const program of ["gzip", "zstd", "xz", "bzip2"]) {
  const skip = programs.includes(program) ? false : `${program} is not installed`;
  test(`a file packed by ${program} is unpacked, and a damaged one read as far as it goes`, { skip }, () => {
    const folder = mkdtempSync(join(tmpdir(), "recognize-test-"));
    try {
      for (const [content, expected] of [
        [EVENT.repeat(3), "ftrace text"],
        [LOG, "kernel log"],
        [QEMU, "QEMU log"],
      ] as const) {
        const packed = execFileSync(program, ["-c"], { input: bytesOf(content) });
        const path = join(folder, "file");
        writeFileSync(path, packed);
        const opened = openTraceFile(path, { defect: () => assert.fail("no defect") });
        assert.ok(opened.ok, opened.ok ? "" : opened.error);
        assert.equal(opened.value.what, expected);
        opened.value.close();
      }
      const big = execFileSync(program, ["-c"], { input: bytesOf(EVENT.repeat(20_000) + Math.random()) });
      writeFileSync(join(folder, "cut"), big.subarray(0, big.length - 20));
      const codes: string[] = [];
      const cut = openTraceFile(join(folder, "cut"), { defect: ({ code }) => codes.push(code) });
      if (cut.ok) {
        assert.deepEqual(codes, ["packed-damaged"]);
        cut.value.close();
      } else assert.match(cut.error, /packed by \w+, and damaged/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
}

test("gzip in memory is unpacked up to its limit", () => {
  assert.equal(whatIs(gzipSync(bytesOf(EVENT))), "ftrace text");
  assert.match(whatIs(gzipSync(gzipSync(bytesOf(EVENT)))), /packed twice/);
  assert.match(whatIs(gzipSync(bytesOf(EVENT)).subarray(0, 30)), /packed by gzip, and damaged/);
});
