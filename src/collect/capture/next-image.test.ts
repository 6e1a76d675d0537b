import assert from "node:assert/strict";
import test from "node:test";
import type { DefectInput } from "../../base/defect.js";
import { parseBootParams, parseConfig, parseFacts, readNextImage } from "./next-image.js";

/** A page of boot_params. */
function page(fields: Readonly<Record<number, number>>, stamps: readonly [bigint, bigint] = [0n, 0n]): Uint8Array {
  const bytes = new Uint8Array(4_096);
  const view = new DataView(bytes.buffer);
  view.setUint32(0x202, 0x53726448, true);
  for (const [at, value] of Object.entries(fields)) view.setUint32(Number(at), value, true);
  view.setBigUint64(0xd0, stamps[0], true);
  view.setBigUint64(0xd8, stamps[1], true);
  return bytes;
}

test("boot_params gives stamps, sizes and KASLR; zeros are not recorded", () => {
  const bytes = page({ 588: 6_641_780, 608: 20_996_096, 540: 1_467_949 }, [6_911_955_749n, 7_200_438_978n]);
  bytes[0x211] = 2;
  assert.deepEqual(parseBootParams(bytes), {
    entry: 6_911_955_749n,
    exit: 7_200_438_978n,
    payloadBytes: 6_641_780,
    initBytes: 20_996_096,
    initrdBytes: 1_467_949,
    kaslr: true,
  });
  const empty = parseBootParams(page({}));
  assert.deepEqual([empty?.entry, empty?.exit, empty?.payloadBytes, empty?.kaslr], [null, null, null, false]);
  assert.equal(parseBootParams(page({ 540: 5, 196: 1 }))?.initrdBytes, 2 ** 32 + 5);
});

test("what is not a whole page of boot_params is not read", () => {
  assert.equal(parseBootParams(new Uint8Array(4_096)), null);
  assert.equal(parseBootParams(page({}).subarray(0, 4_095)), null);
  assert.equal(parseBootParams(new Uint8Array(0)), null);
});

test("a configuration names its compressor, and differs from another by any option, not by order or comments", () => {
  const one = parseConfig("# a comment\nCONFIG_A=y\nCONFIG_KERNEL_LZ4=y\n# CONFIG_B is not set\n");
  assert.equal(one?.compression, "lz4");
  assert.match(one?.config ?? "", /^[0-9a-f]{12}$/);
  assert.deepEqual(parseConfig("CONFIG_KERNEL_LZ4=y\nCONFIG_A=y\n"), one);
  assert.notEqual(parseConfig("CONFIG_KERNEL_LZ4=y\nCONFIG_A=m\n")?.config, one?.config);
  assert.equal(parseConfig("CONFIG_KERNEL_UNCOMPRESSED=y\n")?.compression, "none");
  assert.equal(parseConfig("nothing"), null);
});

test("facts are read line by line; lines of another form are counted, unknown keys are not", () => {
  const { values, malformed } = parseFacts(
    "cpus 96\nkaslr on\nfuture_key what-ever\n\ncpus many\nkaslr maybe\nnovalue\n",
  );
  assert.deepEqual(
    [...values],
    [
      ["cpus", "96"],
      ["kaslr", "on"],
      ["future_key", "what-ever"],
    ],
  );
  assert.deepEqual(malformed, [5, 6, 7]);
});

const encoded = (text: string): Uint8Array => new TextEncoder().encode(text);

function read(files: Readonly<Record<string, string | Uint8Array>>) {
  const defects: DefectInput[] = [];
  const recorded = readNextImage(
    {
      old: "old",
      new: "new",
      has: (path) => path in files,
      text: (path) => (typeof files[path] === "string" ? (files[path] as string) : null),
      bytes: (path) => {
        const found = files[path];
        return found === undefined ? null : typeof found === "string" ? encoded(found) : found;
      },
    },
    { defect: (found) => defects.push(found) },
  );
  return { ...recorded, codes: defects.map(({ code }) => code) };
}

test("boot_params of the new kernel comes before one at the top; without any there are no stamps and no defect", () => {
  const [first, second] = [page({}, [1n, 2n]), page({}, [3n, 4n])];
  assert.deepEqual(read({ "new/boot_params": first, boot_params: second }).stamps?.entry, 1n);
  assert.deepEqual(read({ boot_params: second }).stamps, { file: "boot_params", entry: 3n, exit: 4n });
  assert.equal(read({ boot_params: page({}) }).stamps, null);
  assert.deepEqual([read({}).stamps, read({}).codes], [null, []]);
  assert.deepEqual(read({ "new/boot_params": "torn" }).codes, ["boot-params-malformed"]);
});

test("the image's compressor is that of facts, else of the new kernel's configuration, never of the old one's", () => {
  assert.equal(read({ "old/config": "CONFIG_KERNEL_XZ=y\n" }).image.compression, null);
  assert.equal(read({ "new/config": "CONFIG_KERNEL_XZ=y\n" }).image.compression, "xz");
  const both = read({ "new/config": "CONFIG_KERNEL_XZ=y\n", "old/facts": "compression zstd\npreserved_folios 12\n" });
  assert.deepEqual([both.image.compression, both.image.preservedFolios], ["zstd", 12]);
  assert.equal(read({ "old/costs": "event 900\ncopy 61000\n" }).image.copyNsPerMiB, 61_000);
  assert.deepEqual(read({ "old/facts": "compression brotli\n" }).codes, ["facts-malformed"]);
});
