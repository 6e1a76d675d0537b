/**
 * Puts two TSC stamps into a kernel image, finds them, and takes them out again. The file keeps its length, its setup
 * header, and its EFI entry; a checksum that it carries is made right again.
 */
import { err, ok, type Result } from "../../base/result.js";
import { ENTRY_OFFSET, type KernelImage, updateSums } from "./kernel-image.js";
import { findRoom } from "./room.js";
import {
  CALL,
  CALL_BYTES,
  ENTRY,
  ENTRY_HOOK,
  ENTRY_STUB,
  ENTRY_STUB_BYTES,
  EXIT,
  EXIT_BEFORE_6_6,
  EXIT_STUB,
  hasAt,
  jumpTo,
  placesOf,
} from "./stub.js";

/** Where the stamps of an image are, in bytes from the file's begin. */
export interface StampPlaces {
  readonly entryAt: number;
  readonly entryStubAt: number;
  readonly exitAt: number;
  readonly exitStubAt: number;
}

export type Stamps =
  | { readonly state: "none" }
  | { readonly state: "stamped"; readonly places: StampPlaces }
  /** One of the two is there, or parts of them. */
  | { readonly state: "damaged"; readonly why: string };

const hex = (bytes: Uint8Array, at: number, length: number): string =>
  Buffer.from(bytes.subarray(at, at + length)).toString("hex");

const isCalledAt = (bytes: Uint8Array, at: number): boolean => bytes[at - CALL_BYTES] === CALL;

/** The stamps that are in an image. */
export function findStamps({ bytes, bodyAt, payloadEnd, bodyEnd }: KernelImage): Stamps {
  const entryAt = bodyAt + ENTRY_OFFSET;
  const entryStubAt = entryAt - ENTRY_STUB_BYTES;
  const hasEntry = hasAt(bytes, entryAt, ENTRY_HOOK);
  const hasEntryStub = hasAt(bytes, entryStubAt, ENTRY_STUB);
  const exitStubs = placesOf(bytes, EXIT_STUB, payloadEnd, bodyEnd);
  if (!hasEntry && !hasEntryStub && exitStubs.length === 0) return { state: "none" };
  const damaged = (why: string): Stamps => ({ state: "damaged", why });
  if (!hasEntry) return damaged(`byte ${entryAt} has ${hex(bytes, entryAt, 6)}, not the jump to stamp 1`);
  if (!hasEntryStub) return damaged(`byte ${entryStubAt} does not have stamp 1`);
  const [exitStubAt, ...more] = exitStubs;
  if (exitStubAt === undefined || more.length > 0)
    return damaged(`stamp 2 is there ${exitStubs.length} times, not once`);
  const exits: number[] = [];
  for (let at = payloadEnd + CALL_BYTES; at + EXIT.length <= bodyEnd; at++) {
    if (isCalledAt(bytes, at) && hasAt(bytes, at, jumpTo(at, exitStubAt))) exits.push(at);
  }
  const [exitAt] = exits;
  if (exitAt === undefined || exits.length > 1) return damaged(`${exits.length} jumps lead to stamp 2, not one`);
  return { state: "stamped", places: { entryAt, entryStubAt, exitAt, exitStubAt } };
}

/** The jump into the unpacked kernel. The error names what was found instead. */
function findExit({ bytes, payloadEnd, bodyEnd }: KernelImage): Result<number, string> {
  const exits = placesOf(bytes, EXIT, payloadEnd, bodyEnd).filter((at) => isCalledAt(bytes, at));
  const [exit] = exits;
  if (exit !== undefined && exits.length === 1) return ok(exit);
  const wanted = "the jump into the unpacked kernel (call; mov %r15,%rsi; jmp *%rax)";
  if (exits.length > 1)
    return err(`It has ${wanted} ${exits.length} times, at bytes ${exits.join(", ")}: which one runs is unknown.`);
  const older = placesOf(bytes, EXIT_BEFORE_6_6, payloadEnd, bodyEnd).filter((at) => isCalledAt(bytes, at));
  const found =
    older.length === 0 ? "" : ` Byte ${older[0]} has the jump of Linux before 6.6, which is too short to be replaced.`;
  return err(`It does not have ${wanted}.${found}`);
}

/**
 * A stamped copy. The error is a sentence: an image is refused unless each place is the only one of its kind and holds
 * what was expected. A signature must have been taken off before.
 */
export function stampImage(
  image: KernelImage,
): Result<{ readonly bytes: Uint8Array; readonly places: StampPlaces }, string> {
  const { bytes, bodyAt, pe } = image;
  if (pe?.signature != null) return err("It is signed, and stamps would break the signature.");
  const before = findStamps(image);
  if (before.state === "stamped") return err("It is stamped already.");
  if (before.state === "damaged") return err(`It has remains of stamps: ${before.why}.`);
  const entryAt = bodyAt + ENTRY_OFFSET;
  if (!hasAt(bytes, entryAt, ENTRY)) {
    return err(
      `Its 64-bit entry, byte ${entryAt}, has ${hex(bytes, entryAt, 6)}, not ${hex(ENTRY, 0, 6)} as Linux has.`,
    );
  }
  const entryStubAt = entryAt - ENTRY_STUB_BYTES;
  if (!hasAt(bytes, entryStubAt, new Uint8Array(ENTRY_STUB_BYTES))) {
    return err(
      `Stamp 1 needs ${ENTRY_STUB_BYTES} zeros before the entry: byte ${entryStubAt} has ${hex(bytes, entryStubAt, 32)}.`,
    );
  }
  const exit = findExit(image);
  if (!exit.ok) return exit;
  const room = findRoom(image, EXIT_STUB.length);
  if (!room.ok) return room;
  const stamped = Uint8Array.from(bytes);
  stamped.set(ENTRY_HOOK, entryAt);
  stamped.set(ENTRY_STUB, entryStubAt);
  stamped.set(jumpTo(exit.value, room.value), exit.value);
  stamped.set(EXIT_STUB, room.value);
  updateSums(image, stamped);
  return ok({ bytes: stamped, places: { entryAt, entryStubAt, exitAt: exit.value, exitStubAt: room.value } });
}

/** A copy without its stamps, byte for byte what was stamped. */
export function unstampImage(image: KernelImage): Result<Uint8Array, string> {
  if (image.pe?.signature != null) return err("It is signed, and removing stamps would break the signature.");
  const found = findStamps(image);
  if (found.state === "none") return err("It is not stamped.");
  if (found.state === "damaged") return err(`Its stamps are damaged: ${found.why}. Take the image of the build.`);
  const { entryAt, entryStubAt, exitAt, exitStubAt } = found.places;
  const plain = Uint8Array.from(image.bytes);
  plain.set(ENTRY, entryAt);
  plain.fill(0, entryStubAt, entryAt);
  plain.set(EXIT, exitAt);
  plain.fill(0, exitStubAt, exitStubAt + EXIT_STUB.length);
  updateSums(image, plain);
  return ok(plain);
}
