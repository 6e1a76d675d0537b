import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { projectRoot, traces } from "../../testing/places.js";
import { readUpdate } from "../../testing/samples/captures.js";

/** Names that others build on: removing or renaming one breaks them, and takes a new version. */
const PROMISED = [
  "format",
  "version",
  "capture.name",
  "outcome",
  ...["method", "uncertaintyNs"].map((name) => `clock.${name}`),
  ...["basis", "beginNs", "endNs", "durationNs", "uncertaintyNs"].map((name) => `blackout.${name}`),
  ...["name", "beginNs", "endNs", "durationNs", "evidence", "beginRangeNs", "endRangeNs"].map(
    (name) => `phases[].${name}`,
  ),
  ...["id", "beginNs", "endNs", "durationNs"].map((name) => `vms[].${name}`),
  "sessions[].name",
  ...["token", "preserveNs", "retrieveNs"].map((name) => `sessions[].files[].${name}`),
  ...["code", "file", "line", "message"].map((name) => `defects[].${name}`),
];

interface Schema {
  readonly $ref?: string;
  readonly definitions?: Readonly<Record<string, Schema>>;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
}

function namesOf(value: unknown, place: string): readonly string[] {
  if (Array.isArray(value)) return value.flatMap((item) => namesOf(item, `${place}[]`));
  if (typeof value !== "object" || value === null) return [place];
  const inner = Object.entries(value).flatMap(([key, item]) => namesOf(item, place === "" ? key : `${place}.${key}`));
  return place === "" ? inner : [place, ...inner];
}

test("the document holds every promised name, in a capture with sessions and a defect", async () => {
  const { update } = await readUpdate(join(traces, "tsc-persistent.tar.gz"));
  const names = new Set(namesOf(JSON.parse(JSON.stringify(update.document)), ""));
  assert.deepEqual(
    PROMISED.filter((name) => !names.has(name)),
    [],
  );
});

test("the schema requires every promised name", () => {
  const schema: Schema = JSON.parse(readFileSync(join(projectRoot, "docs/live-update.schema.json"), "utf8"));
  const resolved = (at: Schema | undefined): Schema | undefined =>
    at?.$ref === undefined ? at : schema.definitions?.[at.$ref.replace("#/definitions/", "")];
  for (const promised of PROMISED) {
    let at: Schema | undefined = schema;
    for (const part of promised.split(".")) {
      const name = part.replace("[]", "");
      assert.ok(at?.required?.includes(name), promised);
      at = resolved(at?.properties?.[name]);
      if (part.endsWith("[]")) at = resolved(at?.items);
    }
  }
});
