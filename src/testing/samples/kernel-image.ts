/** Made-up x86-64 kernel images of a few pages, with all that stamps look at. They do not boot. */
import { imageCrc, peChecksum } from "../../recorder/image/checksums.js";

export interface ImageParts {
  readonly setupSectors: number;
  /** First bytes of the compressed kernel. */
  readonly magic: readonly number[];
  /** Zeros before `.data`, of at most a page; the rest of that page is read-only data. */
  readonly zerosBeforeData: number;
  /** Zeros at the end of `.data`, of at most 400. */
  readonly zerosAtEnd: number;
  /** How often the jump into the unpacked kernel is there. */
  readonly exits: number;
  /** The jump's bytes, after a call. */
  readonly exit: string;
  readonly entry: string;
  /** Zeros before the entry. */
  readonly zerosBeforeEntry: number;
  /** An instruction refers to this many bytes before `.data`; null: to none. */
  readonly reference: number | null;
  readonly crc: boolean;
  readonly pe: boolean;
  /** Bytes of a signature after the image; 0: unsigned. */
  readonly signature: number;
}

export const usualImage: ImageParts = {
  ...{ setupSectors: 31, magic: [0x1f, 0x8b], zerosBeforeData: 2608, zerosAtEnd: 376, exits: 1, exit: "4c89feffe0" },
  ...{ entry: "fcfa31c08ed8", zerosBeforeEntry: 238, reference: null, crc: false, pe: true, signature: 0 },
};

const PAGE = 4096;
const HEAD = 708;
const PAYLOAD = 3000;
/** nop, so that no instruction refers to anything. */
const FILLER = 0x90;
const PE_AT = 0x40;
const OPTIONAL_AT = PE_AT + 24;

export function madeUpImage(change: Partial<ImageParts> = {}): Uint8Array {
  const parts = { ...usualImage, ...change };
  const bodyAt = (parts.setupSectors + 1) * 512;
  const dataAt = bodyAt + 3 * PAGE;
  const end = dataAt + 0x400;
  const bytes = Buffer.alloc(end + parts.signature, FILLER);
  bytes.fill(0, 0, bodyAt);
  bytes[0x1f1] = parts.setupSectors;
  bytes.writeUInt32LE((end - bodyAt) / 16, 0x1f4);
  bytes.write("HdrS", 0x202, "latin1");
  bytes.writeUInt16LE(0x020f, 0x206);
  bytes.writeUInt16LE(0x7f, 0x236);
  bytes.writeUInt32LE(HEAD, 0x248);
  bytes.writeUInt32LE(PAYLOAD, 0x24c);
  bytes.writeUInt32LE(0x1400000, 0x260);
  bytes.fill(0, bodyAt + 0x200 - parts.zerosBeforeEntry, bodyAt + 0x200);
  bytes.write(parts.entry, bodyAt + 0x200, "hex");
  Buffer.from(parts.magic).copy(bytes, bodyAt + HEAD);
  const textAt = bodyAt + HEAD + PAYLOAD;
  for (let i = 0; i < parts.exits; i++) bytes.write(`e83e320000${parts.exit}`, textAt + 64 + 32 * i, "hex");
  if (parts.reference !== null) {
    // lea disp(%rip),%rax
    const at = textAt + 300;
    bytes.write("488d05", at, "hex");
    bytes.writeInt32LE(dataAt - parts.reference - (at + 7), at + 3);
  }
  bytes.fill(0, dataAt - parts.zerosBeforeData, dataAt);
  // The descriptor table, its entries, an empty interrupt table, a few variables.
  bytes.fill(0, dataAt, dataAt + 0x250);
  bytes.write("2f001000000000000000", dataAt, "hex");
  bytes.write("2f00", dataAt + 16, "hex");
  bytes.fill(0, end - parts.zerosAtEnd, end);
  if (parts.pe) writePe(bytes, parts, end);
  if (parts.crc) bytes.writeUInt32LE(imageCrc(bytes.subarray(0, end - 4)), end - 4);
  if (parts.pe && parts.signature > 0) {
    bytes.writeUInt32LE(peChecksum(bytes, OPTIONAL_AT + 64), OPTIONAL_AT + 64);
  }
  return bytes;
}

function writePe(bytes: Buffer, { signature }: ImageParts, end: number): void {
  bytes.write("MZ", 0, "latin1");
  bytes.writeUInt32LE(PE_AT, 0x3c);
  bytes.write("PE\0\0", PE_AT, "latin1");
  bytes.writeUInt16LE(0x20b, OPTIONAL_AT);
  bytes.writeUInt32LE(6, OPTIONAL_AT + 108);
  if (signature === 0) return;
  bytes.writeUInt32LE(end, OPTIONAL_AT + 112 + 32);
  bytes.writeUInt32LE(signature, OPTIONAL_AT + 112 + 36);
}
