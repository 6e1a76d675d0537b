/** Opens files for reading. What is checked is the descriptor that is read, not a name that others may change. */
import { closeSync, constants, fstatSync, openSync, readlinkSync, realpathSync, type Stats } from "node:fs";
import { join } from "node:path";

export interface OpenFile {
  readonly fd: number;
  readonly stats: Stats;
}

/** Found something else than a file; its message follows a path and a colon. */
export class NotAFile extends Error {
  readonly code = "ENOTFILE";
}

const READING = constants.O_RDONLY | constants.O_NONBLOCK;

/**
 * Opens the file at `path`, which a user named: links are followed. Refuses FIFOs (opening one would wait forever for
 * its writer), sockets, devices and folders. Throws `NotAFile`, or the system's error. The caller closes it.
 */
export function openFile(path: string): OpenFile {
  return checked(openSync(path, READING));
}

/**
 * Opens the file that a path of somebody else's making names below `root`, whose real path it is. No link is followed,
 * also none that takes a folder's place meanwhile: on Linux, the kernel reports where the opened file lies.
 */
export function openBelow(root: string, path: string): OpenFile {
  const file = checked(openSync(join(root, path), READING | constants.O_NOFOLLOW));
  const place = join(root, path);
  if (realPlace(file.fd, place) === place) return file;
  closeSync(file.fd);
  throw new NotAFile("it lies behind a symbolic link, or was moved while it was read");
}

/** Where the opened file lies now. Without /proc, where the path leads. */
function realPlace(fd: number, path: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return realpathSync(path);
  }
}

function checked(fd: number): OpenFile {
  const stats = fstatSync(fd);
  if (stats.isFile()) return { fd, stats };
  closeSync(fd);
  throw new NotAFile(`it is ${kindOf(stats)}, expected a file`);
}

/** What something is that is not a file, with its article. */
export function kindOf(stats: Stats): string {
  if (stats.isDirectory()) return "a folder";
  if (stats.isFIFO()) return "a FIFO";
  if (stats.isSocket()) return "a socket";
  return stats.isSymbolicLink() ? "a symbolic link" : "a device";
}

/** The shell's <(…) and <<<, and standard input: a descriptor that this process was given. */
const GIVEN = /^\/(?:dev\/stdin|(?:dev|proc\/self)\/fd\/\d+)$/;

/**
 * Opens what a user named as input: a file, a device, or a pipe that the shell made. A FIFO is refused, as its opener
 * would wait forever for a writer.
 */
export function openInput(path: string): OpenFile {
  const fd = openSync(path, GIVEN.test(path) ? constants.O_RDONLY : READING);
  const stats = fstatSync(fd);
  if (stats.isFile() || stats.isCharacterDevice() || GIVEN.test(path)) return { fd, stats };
  closeSync(fd);
  throw new NotAFile(`it is ${kindOf(stats)}, expected a file`);
}
