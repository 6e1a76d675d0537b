/**
 * Reporter for node:test. A line when a file's first test ends, as progress; each failure whole, where it happens; at
 * the end a table of the files, what was skipped and why, the failures once more by name, and the runner's own summary
 * (`# tests N`, `# pass N`, …).
 */
import { relative } from "node:path";
import { inspect } from "node:util";
import { root } from "./project.mjs";

export default async function* report(events) {
  const files = new Map();
  const failures = [];
  const skipped = [];
  const summary = [];
  for await (const { type, data } of events) {
    if (
      type === "test:diagnostic" &&
      data.nesting === 0 &&
      /^(tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) /.test(data.message)
    ) {
      summary.push(data.message);
    } else if (type === "test:stderr" || type === "test:stdout") {
      yield data.message;
    } else if (type === "test:pass" || type === "test:fail") {
      const path = relative(root, data.file ?? data.name);
      if (!files.has(path)) yield `${progress(files.size + 1)} ${path}\n`;
      const file = files.get(path) ?? { tests: 0, ms: 0 };
      files.set(path, { tests: file.tests + 1, ms: file.ms + (data.nesting === 0 ? data.details.duration_ms : 0) });
      const title = `${path}:${data.line ?? 1}: ${data.name}`;
      if (type === "test:fail" && !data.todo) {
        // A suite that fails only because of its tests adds no information.
        if (data.details.error?.failureType === "subtestsFailed") continue;
        failures.push(title);
        yield `\nFAILED ${title}\n${indented(reasonOf(data.details.error))}\n\n`;
      } else if (data.skip !== undefined) {
        skipped.push(`${title}${typeof data.skip === "string" && data.skip !== "" ? ` (${data.skip})` : ""}`);
      }
    }
  }
  const width = Math.max(0, ...[...files.keys()].map((path) => path.length));
  for (const [path, { tests, ms }] of [...files].sort()) {
    yield `${path.padEnd(width)}  ${String(tests).padStart(4)} tests  ${String(Math.round(ms)).padStart(6)} ms\n`;
  }
  if (skipped.length > 0) yield `\nskipped:\n${indented(skipped.join("\n"))}\n`;
  if (failures.length > 0) yield `\nfailed:\n${indented(failures.join("\n"))}\n`;
  yield `\n${summary.map((line) => `# ${line}\n`).join("")}`;
}

/** `[12/210]`, if the caller states how many files there are. */
function progress(count) {
  const total = process.env.BLACKOUT_TEST_FILES;
  return total === undefined ? `[${count}]` : `[${String(count).padStart(total.length)}/${total}]`;
}

/** The runner wraps the test's error in its own. */
function reasonOf(error) {
  const cause = error?.cause ?? error;
  return typeof cause === "string" ? cause : inspect(cause, { depth: 6, colors: false });
}

function indented(text) {
  return text
    .split("\n")
    .map((line) => (line === "" ? "" : `  ${line}`))
    .join("\n");
}
