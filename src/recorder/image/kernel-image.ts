/**
 * An x86-64 bzImage: what its setup header and its PE header state about it. Sources: Documentation/arch/x86/boot.rst,
 * arch/x86/boot/header.S, arch/x86/boot/compressed/vmlinux.lds.S.
 */
import { err, ok, type Result } from "../../base/result.js";
import { imageCrc, peChecksum } from "./checksums.js";

export type Compressor = "gzip" | "lz4" | "xz" | "zstd" | "bzip2" | "lzma" | "lzo" | "unknown";

/** Offsets are from the file's begin, in bytes. */
export interface KernelImage {
  readonly bytes: Uint8Array;
  /** Of the boot protocol: 0x020f is 2.15. */
  readonly protocol: number;
  readonly compressor: Compressor;
  /** Where the part begins that is loaded and run; its 64-bit entry is 0x200 bytes on. */
  readonly bodyAt: number;
  /** The end of that part by `syssize`: what the image's own CRC covers, and where a signature may follow. */
  readonly bodyEnd: number;
  readonly payloadAt: number;
  readonly payloadEnd: number;
  /** Whether the last four bytes of the body are the CRC of all before them. */
  readonly hasCrc: boolean;
  readonly pe: PeHeader | null;
}

export interface PeHeader {
  readonly checksumAt: number;
  /** Whether CheckSum is set, and right. */
  readonly hasChecksum: boolean;
  /** Of the certificate table's entry in the data directories; null if the header has none. */
  readonly certificateEntryAt: number | null;
  /** The certificate table of a signed image. */
  readonly signature: { readonly at: number; readonly size: number } | null;
}

const SETUP_MAGIC = "HdrS";
/** The first with `xloadflags` is 2.12 (Linux 3.8). */
const PROTOCOL_NEEDED = 0x020c;
const SECTOR = 512;
const PARAGRAPH = 16;
const XLF_KERNEL_64 = 1;

/** Offsets in the setup header. */
const SETUP = {
  sects: 0x1f1,
  syssize: 0x1f4,
  magic: 0x202,
  protocol: 0x206,
  xloadflags: 0x236,
  payloadOffset: 0x248,
  payloadLength: 0x24c,
  end: 0x290,
} as const;

/** The 64-bit entry, from the body's begin; part of the boot protocol. */
export const ENTRY_OFFSET = 0x200;
/** At least so much of it is code; 400 to 700 bytes are. */
const ENTRY_BYTES = 64;

const COMPRESSORS: readonly (readonly [readonly number[], Compressor])[] = [
  [[0x1f, 0x8b], "gzip"],
  [[0x02, 0x21, 0x4c, 0x18], "lz4"],
  [[0xfd, 0x37, 0x7a, 0x58, 0x5a], "xz"],
  [[0x28, 0xb5, 0x2f, 0xfd], "zstd"],
  [[0x42, 0x5a, 0x68], "bzip2"],
  [[0x5d, 0x00, 0x00], "lzma"],
  [[0x89, 0x4c, 0x5a, 0x4f], "lzo"],
];

const textAt = (bytes: Uint8Array, at: number, length: number): string =>
  Buffer.from(bytes.subarray(at, at + length)).toString("latin1");

/** What else a file may be that is given instead of a bzImage, and what to do; null if nothing is recognized. */
function otherKind(bytes: Uint8Array): string | null {
  if (textAt(bytes, 0, 4) === "\x7fELF")
    return "an ELF file, perhaps vmlinux: give arch/x86/boot/bzImage of that build";
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) return "a gzip file: unpack it; a bzImage is not packed as a whole";
  if (textAt(bytes, 0x38, 4) === "ARM\x64") return "an arm64 image: stamps exist for x86-64 only";
  if (textAt(bytes, 4, 4) === "zimg") return "an EFI zboot image: stamps exist for bzImages of x86-64 only";
  if (textAt(bytes, 0, 2) === "MZ") {
    return "a PE program without a Linux setup header, perhaps a unified kernel image: stamp the kernel before it is packed";
  }
  return null;
}

/** The error is a sentence that names what was found, where, and what to do. */
export function readKernelImage(bytes: Uint8Array): Result<KernelImage, string> {
  if (bytes.length < SETUP.end || textAt(bytes, SETUP.magic, 4) !== SETUP_MAGIC) {
    const other = otherKind(bytes);
    if (other !== null) return err(`It is ${other}.`);
    if (bytes.length < SETUP.end)
      return err(`It has ${bytes.length} bytes, too few for a setup header: not a bzImage.`);
    const found = Buffer.from(bytes.subarray(SETUP.magic, SETUP.magic + 4)).toString("hex");
    return err(`Byte 0x202 has ${found}, not "HdrS" (48647253): not a bzImage.`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const protocol = view.getUint16(SETUP.protocol, true);
  if (protocol < PROTOCOL_NEEDED) {
    const has = `${protocol >> 8}.${String(protocol & 0xff).padStart(2, "0")}`;
    return err(`Its boot protocol is ${has} (byte 0x206); 2.12 or later is needed (Linux 3.8).`);
  }
  if ((view.getUint16(SETUP.xloadflags, true) & XLF_KERNEL_64) === 0) {
    return err("It is a 32-bit kernel: it has no 64-bit entry (xloadflags, byte 0x236).");
  }
  const bodyAt = ((view.getUint8(SETUP.sects) || 4) + 1) * SECTOR;
  const bodyEnd = bodyAt + view.getUint32(SETUP.syssize, true) * PARAGRAPH;
  const payloadAt = bodyAt + view.getUint32(SETUP.payloadOffset, true);
  const payloadEnd = payloadAt + view.getUint32(SETUP.payloadLength, true);
  if (bodyEnd > bytes.length) {
    return err(`It has ${bytes.length} bytes, but its header says ${bodyEnd} (syssize, byte 0x1f4): the file is cut.`);
  }
  if (payloadAt < bodyAt + ENTRY_OFFSET + ENTRY_BYTES || payloadEnd <= payloadAt || payloadEnd >= bodyEnd) {
    return err(
      `Its compressed kernel would be bytes ${payloadAt} to ${payloadEnd} of ${bodyEnd} (bytes 0x248, 0x24c): the header is damaged.`,
    );
  }
  const begins = (magic: readonly number[]): boolean => magic.every((byte, i) => bytes[payloadAt + i] === byte);
  const pe = readPeHeader(bytes);
  if (!pe.ok) return pe;
  return ok({
    bytes,
    protocol,
    compressor: COMPRESSORS.find(([magic]) => begins(magic))?.[1] ?? "unknown",
    bodyAt,
    bodyEnd,
    payloadAt,
    payloadEnd,
    hasCrc: imageCrc(bytes.subarray(0, bodyEnd)) === 0,
    pe: pe.value,
  });
}

/** Offsets in the PE header and its optional header (PE32+), from `PE\0\0` and from the optional header. */
const PE = { optionalSize: 20, optional: 24, plus: 0x20b, checksum: 64, directories: 108, first: 112, certificates: 4 };
const DIRECTORY_BYTES = 8;

/** Null without CONFIG_EFI_STUB. */
function readPeHeader(bytes: Uint8Array): Result<PeHeader | null, string> {
  if (textAt(bytes, 0, 2) !== "MZ") return ok(null);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const at = view.getUint32(0x3c, true);
  const optionalAt = at + PE.optional;
  const damaged = (what: string): Result<never, string> =>
    err(`Its PE header is damaged: ${what}. It would not boot by EFI; build it again.`);
  if (at % 2 !== 0 || optionalAt + PE.first > bytes.length || textAt(bytes, at, 4) !== "PE\0\0") {
    return damaged(`byte 0x3c points to byte ${at}, where "PE" is not`);
  }
  if (view.getUint16(optionalAt, true) !== PE.plus)
    return damaged(`byte ${optionalAt} is not that of a 64-bit program`);
  const entryAt = optionalAt + PE.first + PE.certificates * DIRECTORY_BYTES;
  const hasEntry = view.getUint32(optionalAt + PE.directories, true) > PE.certificates && entryAt + 8 <= bytes.length;
  const size = hasEntry ? view.getUint32(entryAt + 4, true) : 0;
  const from = hasEntry ? view.getUint32(entryAt, true) : 0;
  if (size !== 0 && from + size > bytes.length)
    return damaged(`its signature would be bytes ${from} to ${from + size}`);
  const checksumAt = optionalAt + PE.checksum;
  const checksum = view.getUint32(checksumAt, true);
  return ok({
    checksumAt,
    hasChecksum: checksum !== 0 && checksum === peChecksum(bytes, checksumAt),
    certificateEntryAt: hasEntry ? entryAt : null,
    signature: size === 0 ? null : { at: from, size },
  });
}

/** The same image without its signature, as the kernel's build makes it: no certificate table, no PE checksum. */
export function withoutSignature(image: KernelImage): Result<KernelImage, string> {
  const { pe, bytes } = image;
  if (pe?.signature == null || pe.certificateEntryAt === null) return ok(image);
  const { at, size } = pe.signature;
  if (at < image.bodyEnd || at + size !== bytes.length) {
    return err(
      `Its signature, bytes ${at} to ${at + size}, is not the end of the file: remove it with the tool that made it.`,
    );
  }
  const rest = bytes.slice(0, at);
  rest.fill(0, pe.certificateEntryAt, pe.certificateEntryAt + DIRECTORY_BYTES);
  rest.fill(0, pe.checksumAt, pe.checksumAt + 4);
  return readKernelImage(rest);
}

/** Brings the sums that `image` carries up to date with `bytes`, its changed copy; changes `bytes`. */
export function updateSums(image: KernelImage, bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (image.hasCrc) view.setUint32(image.bodyEnd - 4, imageCrc(bytes.subarray(0, image.bodyEnd - 4)), true);
  else if (image.pe?.hasChecksum === true) {
    view.setUint32(image.pe.checksumAt, peChecksum(bytes, image.pe.checksumAt), true);
  }
}
