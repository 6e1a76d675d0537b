/** Archives made by tests: honest and hostile tar members, and zstd frames of raw and repeated blocks. */

export interface TarMember {
  readonly name: string;
  readonly data?: string | Uint8Array;
  /**
   * `0` file (unless given), `1` hard link, `2` symlink, `3` character device, `4` block device, `5` folder, `6` FIFO.
   */
  readonly type?: string;
  readonly link?: string;
  /** The size stated in the header, if it differs from that of the data. */
  readonly size?: number;
}

const BLOCK = 512;
const bytesOf = (data: string | Uint8Array): Uint8Array => (typeof data === "string" ? Buffer.from(data) : data);

/** One ustar member: header, data, padding. */
export function tarMember({ name, data = "", type = "0", link = "", size }: TarMember): Buffer {
  const content = bytesOf(data);
  const header = Buffer.alloc(BLOCK);
  const octal = (value: number, at: number, length: number): void => {
    header.write(`${value.toString(8).padStart(length - 1, "0")}\0`, at, "latin1");
  };
  header.write(name, 0, 100, "utf8");
  octal(0o644, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(size ?? content.length, 124, 12);
  octal(0, 136, 12);
  header.write(type, 156, "latin1");
  header.write(link, 157, 100, "utf8");
  header.write("ustar\u000000", 257, "latin1");
  header.fill(" ", 148, 156);
  octal(
    header.reduce((sum, byte) => sum + byte, 0),
    148,
    7,
  );
  const padded = Buffer.alloc(Math.ceil(content.length / BLOCK) * BLOCK);
  padded.set(content);
  return Buffer.concat([header, padded]);
}

/** A whole archive with its end mark. */
export function tarArchive(members: readonly TarMember[]): Buffer {
  return Buffer.concat([...members.map(tarMember), Buffer.alloc(2 * BLOCK)]);
}

/** A member whose path is too long for ustar, by a pax header (POSIX.1-2001). */
export function paxMember(name: string, data: string): Buffer {
  const record = (length: number): string => `${length} path=${name}\n`;
  let length = record(0).length;
  while (Buffer.byteLength(record(length)) !== length) length = Buffer.byteLength(record(length));
  return Buffer.concat([
    tarMember({ name: "pax", data: record(length), type: "x" }),
    tarMember({ name: "short", data }),
  ]);
}

/** RFC 8878: a frame with an 8-bit window descriptor, no checksum, no content size. */
const zstdHeader = (window: number): Buffer => Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, window]);
const zstdBlock = (type: 0 | 1, size: number, isLast: boolean): Buffer => {
  const header = (size << 3) | (type << 1) | (isLast ? 1 : 0);
  return Buffer.from([header & 255, (header >> 8) & 255, header >> 16]);
};
const ZSTD_BLOCK = 128 * 1024;
/** A window of 1 MiB: exponent 10, mantissa 0. */
export const ZSTD_1_MIB = 10 << 3;

/** The data in raw blocks: what zstd writes for incompressible data. */
export function zstdRaw(data: Uint8Array, window = ZSTD_1_MIB): Buffer {
  const parts = [zstdHeader(window)];
  for (let at = 0; at === 0 || at < data.length; at += ZSTD_BLOCK) {
    const block = data.subarray(at, at + ZSTD_BLOCK);
    parts.push(zstdBlock(0, block.length, at + ZSTD_BLOCK >= data.length), Buffer.from(block));
  }
  return Buffer.concat(parts);
}

/** `blocks` blocks of 128 KiB of zeros, four bytes each. */
export function zstdZeros(blocks: number): Buffer {
  const zeros = Array.from({ length: blocks }, (_, i) =>
    Buffer.concat([zstdBlock(1, ZSTD_BLOCK, i === blocks - 1), Buffer.alloc(1)]),
  );
  return Buffer.concat([zstdHeader(ZSTD_1_MIB), ...zeros]);
}
