/** The two sums that a bzImage may carry of itself. */

/**
 * Boot protocol 2.08 to Linux 6.15: polynomial 0x04c11db7, least bit first, initial remainder all ones, no final
 * complement (arch/x86/boot/tools/build.c).
 */
const CRC_POLYNOMIAL_REFLECTED = 0xedb88320;

const crcTable: Uint32Array = Uint32Array.from({ length: 256 }, (_, byte) => {
  let remainder = byte;
  for (let bit = 0; bit < 8; bit++) remainder = (remainder >>> 1) ^ (remainder & 1 ? CRC_POLYNOMIAL_REFLECTED : 0);
  return remainder >>> 0;
});

/** The CRC-32 of a kernel image. Over an image that ends in its own CRC, least byte first, it is 0. */
export function imageCrc(bytes: Uint8Array): number {
  let remainder = 0xffffffff;
  for (const byte of bytes) remainder = (remainder >>> 8) ^ (crcTable[(remainder ^ byte) & 0xff] as number);
  return remainder >>> 0;
}

/**
 * The checksum of a PE file whose field is the four bytes at `fieldAt`, even: the 16-bit words' sum with carries
 * folded in, without that field, plus the length (imagehlp's CheckSumMappedFile).
 */
export function peChecksum(bytes: Uint8Array, fieldAt: number): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) {
    if (at === fieldAt || at === fieldAt + 2) continue;
    sum += (bytes[at] as number) + ((bytes[at + 1] ?? 0) << 8);
    sum = (sum & 0xffff) + (sum >>> 16);
  }
  return sum + bytes.length;
}
