import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import type { DefectInput } from "../../base/defect.js";
import { traces } from "../../testing/places.js";
import { openTraceFile } from "./trace-file.js";

const folder = mkdtempSync(join(tmpdir(), "blackout-raw-pages-"));
after(() => rmSync(folder, { recursive: true }));
const capture = join(folder, "plain");
mkdirSync(capture);
execFileSync("tar", ["-xzf", join(traces, "plain.tar.gz"), "-C", capture, "--strip-components=1"]);
const PAGES = "per_cpu/cpu0/trace_pipe_raw";
let made = 0;

/** One CPU's pages with what decodes them. */
function ring(): string {
  const path = join(folder, String(made++));
  mkdirSync(join(path, "per_cpu/cpu0"), { recursive: true });
  cpSync(join(capture, "ring", PAGES), join(path, PAGES));
  for (const name of ["formats.gz", "kallsyms.gz", "header_page"]) cpSync(join(capture, "old", name), join(path, name));
  return path;
}

function opened(path: string, formats: string | null = null) {
  const defects: DefectInput[] = [];
  const found = openTraceFile(path, { defect: (each) => void defects.push(each) }, formats);
  return { found, defects };
}

/** Every row printed, so that everything that decodes it is used. */
function rowsOf(path: string): { readonly rows: number; readonly defects: readonly DefectInput[] } {
  const { found, defects } = opened(path);
  assert.ok(found.ok, found.ok ? "" : found.error);
  let rows = 0;
  for (const part of found.value.parts) {
    part.source().read({
      defect: (each) => void defects.push(each),
      chunk: (chunk) => {
        for (let row = 0; row < chunk.count; row++) rows += chunk.text(row) === "" ? 0 : 1;
      },
    });
  }
  found.value.close();
  return { rows, defects };
}

function refusal(path: string, formats: string | null = null): string {
  const { found } = opened(path, formats);
  assert.ok(!found.ok);
  return found.error;
}

test("formats that are damaged refuse the pages, and say which file", () => {
  const path = ring();
  const whole = readFileSync(join(path, "formats.gz"));
  for (const damaged of [Buffer.from("junk"), whole.subarray(0, 5000)]) {
    writeFileSync(join(path, "formats.gz"), damaged);
    assert.match(refusal(path), /formats\.gz: It cannot be unpacked/);
  }
});

test("damaged symbols are left out and reported", () => {
  const path = ring();
  const { rows } = rowsOf(path);
  assert.ok(rows > 1000);
  writeFileSync(join(path, "kallsyms.gz"), readFileSync(join(path, "kallsyms.gz")).subarray(0, 50_000));
  const damaged = rowsOf(path);
  assert.equal(damaged.rows, rows);
  assert.deepEqual(
    damaged.defects.map(({ code, file }) => [code, file]),
    [["file-damaged", "kallsyms.gz"]],
  );
});

test("what is called pages and is a folder or a pipe is refused, without waiting", () => {
  const path = ring();
  rmSync(join(path, PAGES));
  mkdirSync(join(path, PAGES));
  assert.match(refusal(path), /is not a regular file/);
  rmSync(join(path, PAGES), { recursive: true });
  execFileSync("mkfifo", [join(path, PAGES)]);
  assert.match(refusal(path), /is not a regular file/);
  assert.match(refusal(join(path, PAGES)), /is not a regular file/);
  const pipe = join(path, "trace.dat");
  execFileSync("mkfifo", [pipe]);
  assert.match(refusal(pipe), /is not a regular file/);
  assert.match(refusal(ring(), join(path, "header_page")), /--formats .* is not a folder/);
});
