import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, test } from "node:test";
import fc from "fast-check";
import { FUZZ_RUNS, fuzz } from "../../testing/fuzz.js";
import { projectRoot } from "../../testing/places.js";
import { type ImageParts, madeUpImage } from "../../testing/samples/kernel-image.js";
import { findStamps, stampImage, unstampImage } from "./image-stamp.js";
import { type KernelImage, readKernelImage, withoutSignature } from "./kernel-image.js";
import { ENTRY_STUB, EXIT_STUB } from "./stub.js";

function read(bytes: Uint8Array): KernelImage {
  const image = readKernelImage(bytes);
  assert.ok(image.ok, image.ok ? "" : image.error);
  return image.value;
}

function stamped(image: KernelImage): Uint8Array {
  const made = stampImage(image);
  assert.ok(made.ok, made.ok ? "" : made.error);
  return made.value.bytes;
}

/** What stamps promise of any image that takes them. */
function checkStamps(image: KernelImage): void {
  const made = stampImage(image);
  assert.ok(made.ok, made.ok ? "" : made.error);
  const { bytes, places } = made.value;
  const after = read(bytes);
  assert.deepEqual(findStamps(after), { state: "stamped", places });
  assert.equal(bytes.length, image.bytes.length);
  assert.equal(after.hasCrc, image.hasCrc);
  assert.equal(after.pe?.hasChecksum, image.pe?.hasChecksum);
  const mayChange = [
    [places.entryStubAt, places.entryAt + 6],
    [places.exitAt, places.exitAt + 5],
    [places.exitStubAt, places.exitStubAt + EXIT_STUB.length],
    ...(image.hasCrc ? [[image.bodyEnd - 4, image.bodyEnd]] : []),
    ...(image.pe?.hasChecksum ? [[image.pe.checksumAt, image.pe.checksumAt + 4]] : []),
  ] as const;
  for (let at = 0; at < bytes.length; at++) {
    if (bytes[at] === image.bytes[at]) continue;
    assert.ok(
      mayChange.some(([from, to]) => at >= (from ?? 0) && at < (to ?? 0)),
      `byte ${at} has changed`,
    );
  }
  const back = unstampImage(after);
  assert.ok(back.ok);
  assert.equal(Buffer.compare(back.value, image.bytes), 0, "without its stamps the image is what it was");
  const again = stampImage(after);
  assert.match(again.ok ? "" : again.error, /stamped already/);
}

const shape: fc.Arbitrary<Partial<ImageParts>> = fc.record({
  setupSectors: fc.integer({ min: 4, max: 60 }),
  magic: fc.constantFrom(
    [0x1f, 0x8b],
    [0x02, 0x21, 0x4c, 0x18],
    [0xfd, 0x37, 0x7a, 0x58, 0x5a],
    [0x28, 0xb5, 0x2f, 0xfd],
  ),
  zerosBeforeData: fc.integer({ min: 88, max: 4096 }),
  zerosAtEnd: fc.integer({ min: 0, max: 400 }),
  zerosBeforeEntry: fc.integer({ min: 32, max: 400 }),
  crc: fc.boolean(),
  pe: fc.boolean(),
});

describe("stamps in made-up images", () => {
  test("an image of any shape is stamped, keeps its length and its sums, and is what it was without its stamps", () => {
    fc.assert(fc.property(shape, (parts) => checkStamps(read(madeUpImage(parts)))));
  });

  test("the code of both stamps is what docs/image-stamp.md has", () => {
    const page = readFileSync(join(projectRoot, "docs/image-stamp.md"), "utf8");
    const listed = [...page.matchAll(/^ {4}\+\w\w {2}((?:[0-9a-f]{2} )+)/gm)].map(([, hex]) =>
      (hex ?? "").replaceAll(" ", ""),
    );
    const wanted = [ENTRY_STUB, EXIT_STUB].map((code) => Buffer.from(code).toString("hex")).join("");
    assert.equal(listed.join(""), wanted);
  });

  test("a compressor is named by the first bytes of what it made", () => {
    const of = (...magic: number[]): string => read(madeUpImage({ magic })).compressor;
    assert.deepEqual(
      [of(0x1f, 0x8b), of(2, 0x21, 0x4c, 0x18), of(0xfd, 0x37, 0x7a, 0x58, 0x5a), of(0x28, 0xb5, 0x2f, 0xfd), of(1)],
      ["gzip", "lz4", "xz", "zstd", "unknown"],
    );
  });

  test("without room before .data, stamp 2 is at its end", () => {
    const image = read(madeUpImage({ zerosBeforeData: 60 }));
    const made = stampImage(image);
    assert.ok(made.ok);
    assert.equal(made.value.places.exitStubAt, image.bodyEnd - 4 - EXIT_STUB.length);
    checkStamps(image);
  });

  test("zeros that an instruction refers to are a variable, and are left alone", () => {
    const place = (reference: number): number => {
      const image = read(madeUpImage({ reference }));
      const made = stampImage(image);
      assert.ok(made.ok);
      return image.bodyEnd - made.value.places.exitStubAt;
    };
    assert.equal(place(40), 4 + EXIT_STUB.length, "a variable where stamp 2 would stand");
    assert.equal(place(90), 4 + EXIT_STUB.length, "a variable that may reach there");
    assert.equal(place(200), 0x400 + EXIT_STUB.length, "a variable far enough before");
  });

  for (const [what, parts, why] of [
    ["no jump into the unpacked kernel", { exits: 0 }, /does not have the jump/],
    ["two of them", { exits: 2 }, /2 times, at bytes \d+, \d+/],
    ["the jump of Linux before 6.6", { exit: "5effe0" }, /Byte \d+ has the jump of Linux before 6\.6/],
    ["another entry", { entry: "fafc31c08ed8" }, /byte 16896, has fafc31c08ed8, not fcfa31c08ed8/],
    ["too few zeros before the entry", { zerosBeforeEntry: 31 }, /needs 32 zeros before the entry/],
    [
      "no room for stamp 2",
      { zerosBeforeData: 87, zerosAtEnd: 91 },
      /needs 88 unused zeros: before \.data .* are 87 zeros/,
    ],
    ["a signature", { signature: 1472 }, /signed/],
  ] as const) {
    test(`an image with ${what} is refused with what was found`, () => {
      const made = stampImage(read(madeUpImage(parts)));
      assert.match(made.ok ? "" : made.error, why);
    });
  }

  test("a signature is taken off as a whole, and with it the PE checksum that signing has set", () => {
    for (const crc of [false, true]) {
      const plain = madeUpImage({ crc });
      // The CRC is older than the signature: the build made it, and signing changes the header.
      const signed = Buffer.concat([plain, madeUpImage({ signature: 1472 }).subarray(plain.length)]);
      Buffer.from(madeUpImage({ signature: 1472 })).copy(signed, 0x40, 0x40, 0x140);
      const image = read(signed);
      assert.equal(image.pe?.signature?.size, 1472);
      const unsigned = withoutSignature(image);
      assert.ok(unsigned.ok, unsigned.ok ? "" : unsigned.error);
      assert.equal(Buffer.compare(unsigned.value.bytes, plain), 0);
      assert.equal(unsigned.value.hasCrc, crc);
      checkStamps(unsigned.value);
    }
  });

  test("a signature that is not the end of the file is left to the tool that made it", () => {
    const signed = Buffer.concat([madeUpImage({ signature: 1472 }), Buffer.alloc(8)]);
    const unsigned = withoutSignature(read(signed));
    assert.match(unsigned.ok ? "" : unsigned.error, /not the end of the file/);
  });

  test("half a stamp is reported as damaged, with the byte, and nothing is written over it", () => {
    const whole = stamped(read(madeUpImage()));
    const found = findStamps(read(whole));
    assert.ok(found.state === "stamped");
    const { entryAt, entryStubAt, exitAt, exitStubAt } = found.places;
    for (const [at, why] of [
      [entryAt, /not the jump to stamp 1/],
      [entryStubAt + 3, /does not have stamp 1/],
      [exitAt + 1, /0 jumps lead to stamp 2/],
      [exitStubAt + 5, /0 times, not once/],
    ] as const) {
      const damaged = Uint8Array.from(whole);
      damaged[at] = (damaged[at] ?? 0) ^ 0x10;
      const image = read(damaged);
      const state = findStamps(image);
      assert.match(state.state === "damaged" ? state.why : state.state, why);
      const [again, back] = [stampImage(image), unstampImage(image)];
      assert.match(again.ok ? "" : again.error, /remains of stamps/);
      assert.match(back.ok ? "" : back.error, /damaged/);
    }
  });
});

test("what is not an x86-64 bzImage is named, with what to do", () => {
  const error = (bytes: Uint8Array): string => {
    const image = readKernelImage(bytes);
    return image.ok ? "" : image.error;
  };
  const begins = (text: string, at = 0): Uint8Array => {
    const bytes = Buffer.alloc(8192);
    bytes.write(text, at, "latin1");
    return bytes;
  };
  const changed = (at: number, ...values: number[]): Uint8Array => {
    const bytes = madeUpImage();
    bytes.set(values, at);
    return bytes;
  };
  assert.match(error(new Uint8Array(0)), /has 0 bytes/);
  assert.match(error(begins("\x7fELF")), /an ELF file, perhaps vmlinux: give arch\/x86\/boot\/bzImage/);
  assert.match(error(begins("\x1f\x8b")), /a gzip file: unpack it/);
  assert.match(error(begins("ARM\x64", 0x38)), /an arm64 image/);
  assert.match(error(begins("MZ\0\0zimg")), /an EFI zboot image/);
  assert.match(error(begins("MZ")), /perhaps a unified kernel image: stamp the kernel before it is packed/);
  assert.match(error(begins("#!/bin/sh")), /Byte 0x202 has 00000000, not "HdrS"/);
  assert.match(error(changed(0x206, 0x0b, 2)), /boot protocol is 2\.11 .*2\.12 or later/);
  assert.match(error(changed(0x236, 0)), /32-bit kernel/);
  assert.match(error(madeUpImage().subarray(0, 20_000)), /the file is cut/);
  assert.match(error(changed(0x248, 0xff, 0xff, 0xff, 0x7f)), /the header is damaged/);
  assert.match(error(changed(0x24c, 0, 0, 0, 0)), /the header is damaged/);
  assert.match(error(changed(0x3c, 0xff, 0xff, 0xff, 0xff)), /PE header is damaged/);
});

test("damaged images never throw, and are never stamped at a place that held something", async () => {
  const seeds = [
    madeUpImage(),
    madeUpImage({ crc: true, zerosBeforeData: 60 }),
    madeUpImage({ signature: 64 }),
    stamped(read(madeUpImage({ pe: false }))),
  ];
  const pieces = [
    ENTRY_STUB,
    EXIT_STUB,
    Uint8Array.from([0xeb, 0xde, 0x0f, 0x1f, 0x40, 0]),
    Buffer.from("4c89feffe0", "hex"),
  ];
  await fuzz({
    ...{ seeds, runs: FUZZ_RUNS / 10, seed: 16, pieces },
    read: (bytes) => {
      const image = readKernelImage(bytes);
      if (!image.ok) return;
      const unsigned = withoutSignature(image.value);
      if (!unsigned.ok) return;
      const made = stampImage(unsigned.value);
      unstampImage(unsigned.value);
      if (!made.ok) return;
      const { exitStubAt, entryStubAt } = made.value.places;
      for (const [at, size] of [
        [exitStubAt, EXIT_STUB.length],
        [entryStubAt, ENTRY_STUB.length],
      ] as const) {
        assert.ok(unsigned.value.bytes.subarray(at, at + size).every((byte) => byte === 0));
      }
    },
  });
});

const folders = ["lab", "vm"].map((name) => resolve(projectRoot, "../shared", name)).filter((path) => existsSync(path));
const images = folders.flatMap((folder) =>
  readdirSync(folder)
    .filter((name) => name.startsWith("bzImage"))
    .map((name) => join(folder, name)),
);

describe("stamps in real images", {
  skip: images.length === 0 && "there is no kernel image beside the checkout",
}, () => {
  for (const path of images) {
    test(`${path.slice(path.lastIndexOf("/") + 1)} is stamped, and is what it was without its stamps`, () => {
      const image = read(readFileSync(path));
      assert.equal(image.compressor, "gzip");
      checkStamps(image);
    });
  }
});
