/** One record at a time, in the reader's blocks: set to a row instead of made for it. */
import type { RecordBytes } from "../event-text/record.js";
import type { RecordChunk } from "../ring-buffer/record-chunk.js";

export class RecordCursor implements RecordBytes {
  view: DataView = new DataView(new ArrayBuffer(0));
  bytes: Uint8Array = new Uint8Array(0);
  littleEndian = true;
  begin = 0;
  length = 0;

  /** The chunk whose rows follow. */
  enter({ memory }: RecordChunk): void {
    this.view = memory.view;
    this.bytes = memory.bytes;
    this.littleEndian = memory.littleEndian;
  }

  move(chunk: RecordChunk, row: number): void {
    const word = chunk.word[row] as number;
    this.begin = (word >> 1) * 4;
    this.length = chunk.memory.lengthOf(word);
  }

  /** The lower 32 bits of a field of 1, 2, 4 or 8 bytes, as an int32, which V8 keeps without an object. */
  low(offset: number, size: number): number {
    const at = this.begin + offset;
    switch (size) {
      case 1:
        return this.bytes[at] as number;
      case 2:
        return this.view.getUint16(at, this.littleEndian);
      case 4:
        return this.view.getInt32(at, this.littleEndian);
      default:
        return this.view.getInt32(this.littleEndian ? at : at + 4, this.littleEndian);
    }
  }

  /** The upper 32 bits of a field of 8 bytes, as an int32; 0 of all others. */
  high(offset: number, size: number): number {
    if (size !== 8) return 0;
    const at = this.begin + offset;
    return this.view.getInt32(this.littleEndian ? at + 4 : at, this.littleEndian);
  }
}
