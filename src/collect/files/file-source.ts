/** A file on disk as a byte source; its opener closes it. What it throws is the system's refusal. */
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import type { ByteSource } from "../../base/bytes/byte-source.js";

export interface FileSource extends ByteSource {
  /** Neither folder, device nor pipe. */
  readonly isRegular: boolean;
  close(): void;
}

export function fileSource(name: string, path: string): FileSource {
  // Without blocking: opening a pipe would wait for its writer.
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const stat = fstatSync(fd);
  return {
    name,
    size: stat.size,
    isRegular: stat.isFile(),
    read(into, position) {
      let done = 0;
      while (done < into.length) {
        const got = readSync(fd, into, done, into.length - done, position + done);
        if (got === 0) break;
        done += got;
      }
      return done;
    },
    close: () => closeSync(fd),
  };
}
