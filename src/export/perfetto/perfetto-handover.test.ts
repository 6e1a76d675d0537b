import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fixtureDocument, fixturePrintk, fixtureUpdate, spans } from "../../testing/fakes/perfetto-fixture.js";
import { type ReadTrace, reread } from "../../testing/oracles/perfetto-reread.js";
import { traces } from "../../testing/places.js";
import { readUpdate } from "../../testing/samples/captures.js";
import { writePerfetto } from "./perfetto.js";
import { handoverUrl, PERFETTO_UI, startupCommands } from "./perfetto-handover.js";

/** Commands that the UI runs from an address (ui/src/core/startup_command_allowlist.ts). */
const ALLOWED = new Set([
  "dev.perfetto.CopyTracksToWorkspaceByRegexWithAncestors",
  "dev.perfetto.SwitchWorkspace",
  "dev.perfetto.ExpandTracksByRegex",
  "dev.perfetto.AddNoteAtTimestamp",
  "dev.perfetto.RunQueryAndShowTab",
]);

const shipped = readdirSync(traces)
  .filter((name) => name.endsWith(".tar.gz"))
  .map((name) => join(traces, name));

const parametersOf = (url: string): URLSearchParams => new URLSearchParams(url.split("#!/?")[1]);

function boundsOf(trace: ReadTrace): readonly [number, number] {
  let [first, last] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const { slices, instants } of trace.tracks.values()) {
    for (const { beginNs, endNs } of [...slices, ...instants]) {
      first = Math.min(first, beginNs);
      last = Math.max(last, endNs ?? beginNs);
    }
  }
  return [first, last];
}

test("the part in view lies inside the trace, whatever the update: the UI ignores any other", async () => {
  for (const path of shipped) {
    const { update } = await readUpdate(path);
    const pieces: Uint8Array[] = [];
    writePerfetto(update, null, (piece) => pieces.push(piece));
    const [first, last] = boundsOf(reread(Buffer.concat(pieces)));
    const parameters = parametersOf(handoverUrl(update, PERFETTO_UI));
    const [from, to] = [Number(parameters.get("visStart")), Number(parameters.get("visEnd"))];
    assert.ok(first <= from && from < to && to <= last, `${path}: ${from}..${to} in ${first}..${last}`);
    for (const { id } of startupCommands(update)) assert.ok(ALLOWED.has(id), id);
  }
});

const noteTexts = (update: Parameters<typeof startupCommands>[0]): readonly (string | undefined)[] =>
  startupCommands(update)
    .filter(({ id }) => id === "dev.perfetto.AddNoteAtTimestamp")
    .map(({ args }) => args[1]);

test("a freeze that follows the pause at once stands in the pause's note, and else has its own", () => {
  const plain = fixtureUpdate({ spans, printk: fixturePrintk });
  assert.ok(noteTexts(plain).length >= 2);
  for (const text of noteTexts(plain)) assert.ok(!/freeze.*freeze/.test(text ?? ""));
});

test("the table shows where the blackout went, and the phases where the blackout is not known", () => {
  const table = (update: Parameters<typeof startupCommands>[0]): string | undefined =>
    startupCommands(update).find(({ id }) => id === "dev.perfetto.RunQueryAndShowTab")?.args[1];
  assert.equal(table(fixtureUpdate({ spans, printk: fixturePrintk })), "Where it went");
  const unknown = fixtureUpdate({
    spans,
    printk: fixturePrintk,
    document: {
      ...fixtureDocument,
      blackout: { ...fixtureDocument.blackout, beginNs: null, endNs: null, durationNs: null },
    },
  });
  assert.equal(table(unknown), "Phases");
});
