import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import type { Result } from "../../base/result.js";
import { paxMember, type TarMember, tarArchive, tarMember, zstdRaw, zstdZeros } from "../../testing/fakes/tar.js";
import { type CaptureError, type CaptureLimits, DEFAULT_LIMITS } from "../files/capture-error.js";
import { openFile } from "../files/open-file.js";
import { type Packing, packingOf, unpackArchive } from "./archive-unpack.js";

interface Unpacked {
  readonly result: Result<null, CaptureError>;
  /** Paths of what was written, by content. */
  readonly files: ReadonlyMap<string, string>;
  /** Of the folder above the one that was unpacked into. */
  readonly around: readonly string[];
}

async function unpack(bytes: Uint8Array, packing: Packing, limits: Partial<CaptureLimits> = {}): Promise<Unpacked> {
  const top = mkdtempSync(join(tmpdir(), "blackout-test-"));
  try {
    const archive = join(top, "archive");
    const into = join(top, "into");
    mkdirSync(into);
    writeFileSync(archive, bytes);
    const result = await unpackArchive(openFile(archive), packing, into, { ...DEFAULT_LIMITS, ...limits });
    const files = new Map<string, string>();
    for (const entry of readdirSync(into, { withFileTypes: true, recursive: true })) {
      assert.ok(entry.isFile() || entry.isDirectory(), `${entry.name} is neither file nor folder`);
      const path = join(entry.parentPath, entry.name);
      if (entry.isFile()) files.set(path.slice(into.length + 1), readFileSync(path, "latin1"));
    }
    return { result, files, around: readdirSync(top).sort() };
  } finally {
    rmSync(top, { recursive: true, force: true });
  }
}

const packings: readonly (readonly [Packing, (tar: Uint8Array) => Uint8Array])[] = [
  ["tar", (tar) => tar],
  ["gzip", (tar) => gzipSync(tar)],
  ["zstd", (tar) => zstdRaw(tar)],
];
const FILE: TarMember = { name: "c/capture.json", data: "{}" };

for (const [packing, pack] of packings) {
  test(`${packing}: files and folders come out as they went in`, async () => {
    const big = "x".repeat(300_000);
    const tar = tarArchive([
      { name: "./c/", type: "5" },
      FILE,
      { name: "./c/old/trace", data: big },
      { name: "c/empty" },
    ]);
    const { result, files } = await unpack(pack(tar), packing);
    assert.deepEqual(result, { ok: true, value: null });
    assert.deepEqual([...files.keys()].sort(), ["c/capture.json", "c/empty", "c/old/trace"]);
    assert.equal(files.get("c/old/trace"), big);
    assert.equal(files.get("c/empty"), "");
  });

  test(`${packing}: cut anywhere it is refused, and nothing but an error comes of it`, async () => {
    const packed = pack(tarArchive([FILE, { name: "c/trace", data: "y".repeat(1_500) }]));
    for (let keep = 0; keep < packed.length - 1_024; keep += Math.max(1, Math.ceil(packed.length / 12))) {
      const { result } = await unpack(packed.subarray(0, keep), packing);
      assert.ok(!result.ok, `${keep} of ${packed.length}`);
      assert.ok(["truncated", "corrupt", "not-a-capture"].includes(result.error.code), result.error.code);
    }
  });
}

test("refused in the middle of a file, nothing is written after the answer", async () => {
  const cut = tarArchive([FILE, { name: "c/trace", data: "y".repeat(1_500) }]).subarray(0, 3 * 512 + 100);
  for (let i = 0; i < 50; i++) {
    const top = mkdtempSync(join(tmpdir(), "blackout-test-"));
    const archive = join(top, "archive");
    const into = join(top, "into");
    mkdirSync(into);
    writeFileSync(archive, cut);
    assert.ok(!(await unpackArchive(openFile(archive), "tar", into, DEFAULT_LIMITS)).ok);
    const atOnce = readdirSync(into, { recursive: true }).sort();
    await new Promise((resolve) => setTimeout(resolve, 2));
    assert.deepEqual(readdirSync(into, { recursive: true }).sort(), atOnce);
    rmSync(top, { recursive: true });
  }
});

test("cut between two members a .tar has no end mark, and is refused", async () => {
  const whole = tarArchive([FILE, { name: "c/trace", data: "y" }]);
  const { result } = await unpack(whole.subarray(0, 2 * 512), "tar");
  assert.ok(!result.ok);
  assert.equal(result.error.code, "truncated");
  assert.match(result.error.message, /end mark/);
});

const hostile: readonly (readonly [string, readonly TarMember[], string, RegExp])[] = [
  ["a path out of the capture", [{ name: "c/../../evil", data: "x" }], "bad-path", /"c\/\.\.\/\.\.\/evil".*leads out/],
  ["only ..", [{ name: "..", data: "x" }], "bad-path", /leads out/],
  ["an absolute path", [{ name: "/etc/evil", data: "x" }], "bad-path", /absolute/],
  ["a drive", [{ name: "C:/evil", data: "x" }], "bad-path", /absolute/],
  ["a backslash", [{ name: "c\\..\\evil", data: "x" }], "bad-path", /backslash/],
  ["an empty part", [{ name: "c//evil", data: "x" }], "bad-path", /empty part/],
  ["a terminal escape", [{ name: "c/\u001b[2Jevil", data: "x" }], "bad-path", /cannot be printed/],
  ["a character that is not seen", [{ name: "c/capture.json\u200b", data: "x" }], "bad-path", /not seen/],
  ["an Arabic letter mark", [{ name: "c/\u061cx", data: "x" }], "bad-path", /not seen/],
  ["a tag character", [{ name: "c/x\u{e0041}", data: "x" }], "bad-path", /not seen/],
  ["a Hangul filler", [{ name: "c/\u3164", data: "x" }], "bad-path", /not seen/],
  ["text that runs backwards", [{ name: "c/\u202egpj.exe", data: "x" }], "bad-path", /cannot be printed/],
  ["a symlink to /", [{ name: "c/root", type: "2", link: "/" }], "link", /"c\/root" is a link to "\/"/],
  [
    "a file through a symlink",
    [
      { name: "c/out", type: "2", link: "/tmp" },
      { name: "c/out/evil", data: "x" },
    ],
    "link",
    /c\/out/,
  ],
  [
    "a chain of links",
    [
      { name: "a", type: "2", link: "b" },
      { name: "b", type: "2", link: "../.." },
    ],
    "link",
    /"a"/,
  ],
  ["a hard link", [FILE, { name: "c/passwd", type: "1", link: "/etc/passwd" }], "link", /\/etc\/passwd/],
  ["a hard link inside", [FILE, { name: "c/again", type: "1", link: "c/capture.json" }], "link", /c\/again/],
  ["a character device", [{ name: "c/null", type: "3" }], "special-file", /"c\/null".*character-device/],
  ["a block device", [{ name: "c/sda", type: "4" }], "special-file", /block-device/],
  ["a FIFO", [{ name: "c/pipe", type: "6" }], "special-file", /fifo/],
  ["the same file twice", [FILE, { name: "./c/capture.json", data: "[]" }], "duplicate-member", /twice/],
  [
    "a file where a folder is",
    [
      { name: "c/d/", type: "5" },
      { name: "c/d", data: "x" },
    ],
    "duplicate-member",
    /c\/d/,
  ],
  [
    "a folder where a file is",
    [
      { name: "c/d", data: "x" },
      { name: "c/d/e", data: "x" },
    ],
    "duplicate-member",
    /c\/d\/e/,
  ],
  ["nothing at all", [], "not-a-capture", /no files/],
  ["folders only", [{ name: "c/", type: "5" }], "not-a-capture", /no files/],
  ["a depth beyond reason", [{ name: `${"d/".repeat(20)}x`, data: "x" }], "bad-path", /16 folders deep/],
];

for (const [what, members, code, message] of hostile) {
  test(`refused: ${what}`, async () => {
    for (const [packing, pack] of packings) {
      const { result, around } = await unpack(pack(tarArchive(members)), packing);
      assert.ok(!result.ok, packing);
      assert.equal(result.error.code, code);
      assert.match(result.error.message, message);
      assert.ok(result.error.advice.length > 10);
      assert.deepEqual(around, ["archive", "into"], "nothing was written beside the folder");
    }
  });
}

test("refused: a long path by pax, one that leads out by pax, and part names that no file system takes", async () => {
  const end = Buffer.alloc(1024);
  const out = await unpack(Buffer.concat([paxMember(`${"a/".repeat(60)}../../x`, "x"), end]), "tar");
  assert.equal(!out.result.ok && out.result.error.code, "bad-path");
  const long = await unpack(Buffer.concat([paxMember("p".repeat(600), "x"), end]), "tar");
  assert.match(!long.result.ok ? long.result.error.message : "", /600 characters/);
  assert.ok((!long.result.ok ? long.result.error.message : "").length < 500, "the message does not repeat it all");
  const part = await unpack(Buffer.concat([paxMember(`${"p".repeat(256)}/x`, "x"), end]), "tar");
  assert.match(!part.result.ok ? part.result.error.message : "", /255 bytes/);
});

test("names that differ by case are two files, or one refusal on a file system that ignores case", async () => {
  const { result, files } = await unpack(tarArchive([FILE, { name: "c/Capture.json", data: "[]" }]), "tar");
  if (result.ok) assert.equal(files.size, 2);
  else assert.equal(result.error.code, "duplicate-member");
});

test("limits: members, bytes of one, bytes of all, depth", async () => {
  const tar = tarArchive([FILE, { name: "c/a", data: "x".repeat(2_000) }, { name: "c/b", data: "x".repeat(2_000) }]);
  const codes = async (limits: Partial<CaptureLimits>): Promise<string> => {
    const { result } = await unpack(tar, "tar", limits);
    return result.ok ? "ok" : `${result.error.code}: ${result.error.message}`;
  };
  assert.equal(await codes({ members: 3, memberBytes: 2_000, totalBytes: 4_002, depth: 1 }), "ok");
  assert.match(await codes({ members: 2 }), /^too-many-members: .* 2 members/);
  assert.match(await codes({ memberBytes: 1_999 }), /^too-large: .*"c\/a" holds 2,000 bytes, more than 1,999/);
  assert.match(await codes({ totalBytes: 4_001 }), /^too-large: .* 4,001 bytes/);
  assert.match(await codes({ depth: 0 }), /^bad-path/);
});

test("a size that is a lie: beyond the limit refused unread, beyond the file truncated, not a number corrupt", async () => {
  const lie = (size: number): Buffer => Buffer.concat([tarMember({ ...FILE, size }), Buffer.alloc(1024)]);
  const codeOf = async (bytes: Uint8Array): Promise<string> => {
    const { result } = await unpack(bytes, "tar");
    return result.ok ? "ok" : result.error.code;
  };
  assert.equal(await codeOf(lie(0o77777777777)), "too-large");
  assert.equal(await codeOf(lie(1_000_000)), "truncated");
  const broken = lie(2);
  broken.write("zzz", 124, "latin1");
  assert.equal(await codeOf(broken), "corrupt");
});

test("a gzip bomb stops at the limit, not at its end", async () => {
  const tar = Buffer.concat([tarMember({ name: "c/zeros", size: 64 << 20 }), Buffer.alloc((64 << 20) + 1024)]);
  const bomb = gzipSync(tar);
  assert.ok(bomb.length < 100_000);
  const { result } = await unpack(bomb, "gzip", { totalBytes: 1 << 20 });
  assert.equal(!result.ok && result.error.code, "too-large");
});

test("a zstd bomb is stopped by its ratio, with a block's memory", async () => {
  const before = process.memoryUsage().arrayBuffers;
  let peak = 0;
  const timer = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage().arrayBuffers - before);
  }, 1);
  // 100,000 blocks of four bytes are 12.5 GiB; a member that big is refused by its header, so that zeros come first.
  const { result } = await unpack(zstdZeros(100_000), "zstd", { ratio: 1_100 });
  clearInterval(timer);
  assert.ok(!result.ok);
  assert.ok(["bomb", "corrupt", "too-large"].includes(result.error.code), result.error.code);
  assert.match(result.error.message, /packed bytes unpack to more than 1,1\d\d times/);
  assert.ok(peak < 200 << 20, `${peak} bytes at the most`);
});

test("a zstd frame that asks for a window of gigabytes is refused before it is reserved", async () => {
  const { result } = await unpack(zstdRaw(tarArchive([FILE]), (20 << 3) | 7), "zstd");
  assert.equal(!result.ok && result.error.code, "too-large");
  assert.match(!result.ok ? result.error.message : "", /window of 2,013,265,920 bytes/);
  assert.match(!result.ok ? result.error.advice : "", /zstd -19/);
});

test("what zstd itself packs comes out, at every level that is allowed", {
  skip: !existsSync("/usr/bin/zstd"),
}, async () => {
  const tar = tarArchive([FILE, { name: "c/trace", data: "line of a trace\n".repeat(50_000) }]);
  for (const level of ["-1", "-3", "-19", "--ultra"]) {
    const packed = spawnSync("/usr/bin/zstd", [level, "-c"], { input: tar, maxBuffer: 1 << 26 });
    const { result, files } = await unpack(packed.stdout, "zstd");
    assert.deepEqual(result, { ok: true, value: null }, level);
    assert.equal(files.get("c/trace")?.length, 800_000);
  }
  const long = spawnSync("/usr/bin/zstd", ["--long=27", "-c"], { input: tar, maxBuffer: 1 << 26 });
  const { result } = await unpack(long.stdout, "zstd");
  assert.equal(!result.ok && result.error.code, "too-large");
});

test("several zstd frames, with frames of application data between them, are one archive", async () => {
  const tar = tarArchive([FILE]);
  const skippable = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);
  const packed = Buffer.concat([zstdRaw(tar.subarray(0, 700)), skippable, zstdRaw(tar.subarray(700))]);
  const { result, files } = await unpack(packed, "zstd");
  assert.deepEqual(result, { ok: true, value: null });
  assert.equal(files.get("c/capture.json"), "{}");
});

test("a file's compression is recognized by its first bytes", () => {
  const folder = mkdtempSync(join(tmpdir(), "blackout-test-"));
  const told = (bytes: Uint8Array): Packing | null => {
    const path = join(folder, "f");
    writeFileSync(path, bytes);
    return packingOf(openFile(path));
  };
  try {
    for (const [packing, pack] of packings) assert.equal(told(pack(tarArchive([FILE]))), packing);
    // pzstd's first frame is a skippable one.
    assert.equal(told(Uint8Array.of(0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 0, 0, 0, 0)), "zstd");
    for (const other of ["", "x", "PK\u0003\u0004", "{}".repeat(300)]) assert.equal(told(Buffer.from(other)), null);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("any damage to any archive is a result or an error with a code, and writes nothing outside", async () => {
  const whole = tarArchive([FILE, { name: "c/trace", data: "z".repeat(700) }, { name: "c/d/", type: "5" }]);
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...packings),
      fc.array(fc.tuple(fc.nat(10_000), fc.nat(255)), { minLength: 1, maxLength: 8 }),
      async ([packing, pack], damage) => {
        const packed = Uint8Array.from(pack(whole));
        for (const [at, byte] of damage) packed[at % packed.length] = byte;
        const { result, around } = await unpack(packed, packing);
        assert.deepEqual(around, ["archive", "into"]);
        if (!result.ok) assert.match(result.error.code, /^[a-z-]+$/);
      },
    ),
    { numRuns: 80 },
  );
});

test("garbage is refused, whatever it is", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom<Packing>("tar", "gzip", "zstd"),
      fc.uint8Array({ maxLength: 2_000 }),
      async (packing, bytes) => {
        const { result } = await unpack(bytes, packing);
        assert.ok(!result.ok);
      },
    ),
    { numRuns: 60 },
  );
});
