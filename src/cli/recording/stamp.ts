/** `blackout record stamp`: TSC stamps in a kernel image (docs/image-stamp.md). */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { err, ok, type Result } from "../../base/result.js";
import { formatBytes } from "../../base/text/format.js";
import { findStamps, type StampPlaces, stampImage, unstampImage } from "../../recorder/image/image-stamp.js";
import { type KernelImage, readKernelImage, withoutSignature } from "../../recorder/image/kernel-image.js";
import { outputProblem } from "../files/output-file.js";
import { statsOf } from "../files/path-stats.js";
import { writeAtomically } from "../files/write-atomically.js";
import { type Context, exit, misused, unusable } from "../frame/command.js";

export interface StampAsked {
  readonly image: string | null;
  readonly output: string | null;
  readonly verify: boolean;
  readonly remove: boolean;
  readonly "drop-signature": boolean;
}

/** `--verify`: the image is not stamped. */
export const NOT_STAMPED = 1;

/** Debian's largest are 15 MiB, with all drivers built in 60. */
const MAX_BYTES = 1 << 30;

/** The error is what follows a path and a colon. */
function readImageFile(path: string): Result<KernelImage, string> {
  try {
    const file = openSync(path, "r");
    try {
      const { size } = fstatSync(file);
      if (size > MAX_BYTES) return err(`It has ${formatBytes(size)}, more than any kernel image.`);
      const bytes = new Uint8Array(size);
      let length = 0;
      for (let read = -1; read !== 0 && length < size; length += read)
        read = readSync(file, bytes, length, size - length, null);
      return readKernelImage(bytes.subarray(0, length));
    } finally {
      closeSync(file);
    }
  } catch (error) {
    return err(`It cannot be read: ${(error as Error).message}.`);
  }
}

const placesText = ({ entryAt, entryStubAt, exitAt, exitStubAt }: StampPlaces): string => {
  const at = (offset: number): string => `0x${offset.toString(16)}`;
  return `entry ${at(entryAt)}, stamp 1 ${at(entryStubAt)}, exit ${at(exitAt)}, stamp 2 ${at(exitStubAt)}`;
};

function verify(context: Context, path: string, image: KernelImage): number {
  const found = findStamps(image);
  switch (found.state) {
    case "none":
      context.stdout.write(`${path}: not stamped (${image.compressor})\n`);
      return NOT_STAMPED;
    case "damaged":
      return unusable(context, `${path}: its stamps are damaged: ${found.why}. Take the image of the build.`);
    case "stamped":
      context.stdout.write(`${path}: stamped (${image.compressor}; ${placesText(found.places)})\n`);
      return exit.success;
    default:
      return found satisfies never;
  }
}

/** The image to write, and what its user must know. */
function change(
  image: KernelImage,
  remove: boolean,
): Result<{ readonly bytes: Uint8Array; readonly done: string }, string> {
  if (remove) {
    const plain = unstampImage(image);
    return plain.ok ? ok({ bytes: plain.value, done: "stamps removed" }) : plain;
  }
  const stamped = stampImage(image);
  if (!stamped.ok) return stamped;
  const { bytes, places } = stamped.value;
  return ok({ bytes, done: `stamped (${image.compressor}; ${placesText(places)})` });
}

const SIGNED =
  "its signature would no longer hold. Stamp the unsigned image, then sign it; or give --drop-signature, then sign the copy";

/** `record stamp`: writes a stamped copy of a kernel image, or one without stamps, or looks for stamps. */
export function runStamp(context: Context, asked: StampAsked): number {
  const { image: path, output } = asked;
  if (path === null) return misused(context, "record stamp: give the kernel image: record stamp BZIMAGE -o OUT.");
  if (asked.verify && (asked.remove || asked["drop-signature"] || output !== null)) {
    return misused(context, "--verify: writes nothing, and takes no --remove, --drop-signature or --output.");
  }
  if (!asked.verify && output === null) return misused(context, "record stamp: give the file to write: --output FILE.");
  const read = readImageFile(path);
  if (!read.ok) return unusable(context, `${path} is not a kernel image that can be stamped. ${read.error}`);
  if (asked.verify || output === null) return verify(context, path, read.value);
  const problem = outputProblem(output, [path]);
  if (problem !== null) return misused(context, `--output: ${problem}.`);
  const what = asked.remove ? "have its stamps removed" : "be stamped";
  const signed = read.value.pe?.signature != null;
  if (signed && !asked["drop-signature"])
    return unusable(context, `${path} cannot ${what}. It is signed, and ${SIGNED}.`);
  const image = withoutSignature(read.value);
  if (!image.ok) return unusable(context, `${path} cannot ${what}. ${image.error}`);
  const changed = change(image.value, asked.remove);
  if (!changed.ok) return unusable(context, `${path} cannot ${what}. ${changed.error}`);
  try {
    writeAtomically(output, changed.value.bytes, (statsOf(path)?.mode ?? 0o644) & 0o777);
  } catch (error) {
    return unusable(context, `${output} cannot be written: ${(error as Error).message}.`);
  }
  context.stdout.write(`${output}\n`);
  context.stderr.write(`${path}: ${changed.value.done}\n`);
  if (signed) context.stderr.write(`${output} is not signed: sign it (sbsign, pesign) if the host verifies kernels\n`);
  return exit.success;
}
