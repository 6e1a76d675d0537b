/** Random access to the bytes of one file, whatever holds it. Readers take this, so tests feed them memory. */
export interface ByteSource {
  /** Path inside the capture, for defects. */
  readonly name: string;
  /** In bytes, when it was opened. */
  readonly size: number;
  /** Fills `into` from `position` on; returns how many bytes there were (less than asked only at the end). */
  read(into: Uint8Array, position: number): number;
}

export function memorySource(name: string, bytes: Uint8Array): ByteSource {
  return {
    name,
    size: bytes.length,
    read(into, position) {
      const part = bytes.subarray(position, Math.min(bytes.length, position + into.length));
      into.set(part);
      return part.length;
    },
  };
}

/** The `size` bytes from `offset` on of another source, as far as that has them. */
export function sliceSource(name: string, whole: ByteSource, offset: number, size: number): ByteSource {
  const length = Math.max(0, Math.min(size, whole.size - offset));
  return {
    name,
    size: length,
    read(into, position) {
      const wanted = Math.min(into.length, length - position);
      return wanted <= 0 ? 0 : whole.read(wanted === into.length ? into : into.subarray(0, wanted), offset + position);
    },
  };
}
