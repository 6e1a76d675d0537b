import type { TraceDatContent } from "./trace-dat-writer.js";

/**
 * One content as a host's trace.dat and as its guest's, whose time is half a second behind (by slightly different
 * amounts at each of three samples). Made up: recording a guest takes vsock; trace-cmd reads the pair as it reads its
 * own.
 */
export function hostAndGuest(content: TraceDatContent): {
  readonly host: TraceDatContent;
  readonly guest: TraceDatContent;
} {
  const u64 = (...values: readonly bigint[]): Uint8Array => {
    const bytes = new Uint8Array(values.length * 8);
    values.forEach((value, i) => {
      new DataView(bytes.buffer).setBigInt64(i * 8, BigInt.asIntN(64, value), true);
    });
    return bytes;
  };
  const u32 = (...values: readonly number[]): Uint8Array => new Uint8Array(Uint32Array.from(values).buffer);
  const [hostId, guestId] = [0x1111n, 0x2222n];
  const shift = [u64(hostId), u32(1, 2)];
  for (let cpu = 0; cpu < 2; cpu++) {
    shift.push(
      u32(3),
      u64(1_000_000_000n, 4_000_000_000n, 7_000_000_000n),
      u64(500_000_000n, 500_003_000n, 500_001_000n),
      u64(1n, 1n, 1n),
    );
  }
  shift.push(u64(0n, 0n, 0n, 0n, 0n, 0n));
  const buffers = content.buffers.slice(0, 1);
  const guestOption = Buffer.concat([new TextEncoder().encode("vm1\0"), u64(guestId), u32(1, 0, 144)]);
  return {
    host: {
      ...content,
      buffers,
      options: [
        { id: 11, data: u64(hostId) },
        { id: 13, data: guestOption },
      ],
    },
    guest: {
      ...content,
      buffers,
      options: [
        { id: 11, data: u64(guestId) },
        { id: 12, data: Buffer.concat(shift) },
      ],
    },
  };
}
