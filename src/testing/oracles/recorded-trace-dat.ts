/** A shipped capture's old ring as the content of a trace.dat, for the tests of readers. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { openCaptureFiles } from "../../collect/capture/capture-files.js";
import type { TraceDatContent } from "../fakes/trace-dat-writer.js";
import { traces } from "../places.js";

/** The old ring of a shipped capture, with everything that a trace.dat needs from its kernel. */
export async function recordedTraceDat(): Promise<TraceDatContent> {
  const files = await openCaptureFiles(join(traces, "plain.tar.gz"));
  assert.ok(files.ok);
  const bytes = (path: string): Uint8Array => {
    const found = files.value.bytes(path, 1 << 28, { defect: (defect) => assert.fail(defect.message) });
    assert.ok(found !== null, path);
    return found;
  };
  const text = (path: string): string => new TextDecoder().decode(bytes(path));
  const byPath = new Map<string, string[]>();
  for (const line of text("old/formats.gz").split("\n")) {
    const match = /^(.*?\/format):(.*)$/.exec(line);
    if (match !== null) byPath.set(match[1] as string, [...(byPath.get(match[1] as string) ?? []), match[2] as string]);
  }
  const content: TraceDatContent = {
    littleEndian: true,
    longBytes: 8,
    headerPage: text("old/header_page"),
    formats: [...byPath].map(([path, lines]) => ({
      system: path.split("/").at(-3) as string,
      text: `${lines.join("\n")}\n`,
    })),
    kallsyms: bytes("old/kallsyms.gz"),
    printkFormats: text("old/printk_formats"),
    cmdlines: text("old/saved_cmdlines"),
    clock: "local",
    buffers: [
      { name: "", cpus: [0, 1].map((cpu) => bytes(`ring/per_cpu/cpu${cpu}/trace_pipe_raw`)) },
      { name: "again", cpus: [bytes("ring/per_cpu/cpu1/trace_pipe_raw")] },
    ],
  };
  files.value.close();
  return content;
}
