/** An initramfs as the kernel unpacks it: cpio "newc" (Documentation/driver-api/early-userspace/buffer-format.rst). */

export interface InitramfsFile {
  readonly path: string;
  readonly content: Uint8Array;
  readonly executable?: boolean;
}

const DIRECTORY = 0o040755;
const FILE = 0o100644;
const EXECUTABLE = 0o100755;
const CHARACTER_DEVICE = 0o020600;

interface Entry {
  readonly path: string;
  readonly mode: number;
  readonly content: Uint8Array;
  /** Major and minor, of a device. */
  readonly device: readonly [number, number];
}

/**
 * Packs files, the folders above them, and `dev/console`, without which init has no standard output. Not compressed.
 */
export function packInitramfs(files: readonly InitramfsFile[]): Buffer {
  const none = new Uint8Array(0);
  const entries = new Map<string, Entry>();
  const addFolders = (path: string): void => {
    const parts = path.split("/").slice(0, -1);
    parts.forEach((_, i) => {
      const folder = parts.slice(0, i + 1).join("/");
      if (!entries.has(folder)) entries.set(folder, { path: folder, mode: DIRECTORY, content: none, device: [0, 0] });
    });
  };
  addFolders("dev/console");
  entries.set("dev/console", { path: "dev/console", mode: CHARACTER_DEVICE, content: none, device: [5, 1] });
  for (const { path, content, executable } of files) {
    addFolders(path);
    entries.set(path, { path, mode: executable === true ? EXECUTABLE : FILE, content, device: [0, 0] });
  }
  const chunks: Uint8Array[] = [];
  let inode = 1;
  for (const entry of entries.values()) chunks.push(...packEntry(entry, inode++));
  chunks.push(...packEntry({ path: "TRAILER!!!", mode: 0, content: none, device: [0, 0] }, 0));
  return Buffer.concat(chunks);
}

function packEntry({ path, mode, content, device }: Entry, inode: number): readonly Uint8Array[] {
  const name = Buffer.from(`${path}\0`, "utf8");
  const fields = [inode, mode, 0, 0, 1, 0, content.length, 0, 0, device[0], device[1], name.length, 0];
  const header = Buffer.from(`070701${fields.map((field) => field.toString(16).padStart(8, "0")).join("")}`, "ascii");
  return [header, name, padding(header.length + name.length), content, padding(content.length)];
}

/** Header with name, and content, each end on a multiple of four bytes. */
function padding(length: number): Uint8Array {
  return new Uint8Array((4 - (length % 4)) % 4);
}
