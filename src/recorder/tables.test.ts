import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { ALL_FUNCTIONS, HANDLER_CALLBACKS, type KernelFunction, LUO_IOCTL_RANGE } from "../model/luo.js";
import { recorderPath } from "./recorder.js";

const script = readFileSync(recorderPath, "utf8");

/** The rows of a table in the recorder: the here-document of the shell function of that name. */
function table(name: string): readonly (readonly string[])[] {
  const body = new RegExp(`^${name}\\(\\) \\{\\n  cat <<'EOF'\\n([\\s\\S]*?)\\nEOF\\n`, "m").exec(script)?.[1];
  assert.ok(body !== undefined, `recorder.sh has no table ${name}`);
  return body.split("\n").map((line) => line.split(" "));
}

const probed = (each: Pick<KernelFunction, "boot" | "name" | "returns" | "args">): string =>
  [
    each.boot,
    each.name,
    { status: "ret", nothing: "void", never: "-" }[each.returns],
    ...each.args.map((arg) => `${arg}=`),
  ].join(" ");

test("the recorder probes the functions of the vocabulary, with their arguments, and no others", () => {
  const rows = table("probe_table").map(([half, name, returns, ...args]) =>
    [half, name, returns, ...args.map((arg) => arg.slice(0, arg.indexOf("=") + 1))].join(" "),
  );
  const wanted = ALL_FUNCTIONS.filter(({ recorded }) => recorded.includes("probe")).map(probed);
  assert.deepEqual([...rows].sort(), [...wanted].sort());
});

test("the recorder's template for file handlers has the callbacks of the vocabulary", () => {
  const template = /^HANDLER_TEMPLATE='([^']*)'$/m.exec(script)?.[1];
  assert.ok(template !== undefined, "recorder.sh has no HANDLER_TEMPLATE");
  const rows = template
    .trim()
    .split("\n")
    .map((line) => line.replaceAll(/=\S+/g, "="));
  assert.deepEqual(
    rows,
    HANDLER_CALLBACKS.map((each) => probed({ ...each, name: `%s_${each.suffix}` })),
  );
});

test("the recorder's function graph has the functions of the vocabulary, and no others", () => {
  const rows = table("graph_table").map((row) => row.join(" "));
  const wanted = ALL_FUNCTIONS.filter(({ recorded }) => recorded.includes("graph")).map(
    ({ boot, name }) => `${boot} ${name}`,
  );
  assert.deepEqual([...rows].sort(), [...wanted].sort());
});

test("the recorder records each ioctl that the analysis can name", () => {
  const filters = [...script.matchAll(/cmd >= (0x[0-9a-f]+) && cmd <= (0x[0-9a-f]+)/g)];
  assert.notEqual(filters.length, 0);
  for (const [, first, last] of filters) {
    assert.deepEqual({ first: Number(first), last: Number(last) }, LUO_IOCTL_RANGE);
  }
});
