/** The kernel's error numbers: include/uapi/asm-generic/errno-base.h and errno.h, as far as drivers return them. */

const NAMES: ReadonlyMap<number, string> = new Map([
  ...(
    "EPERM ENOENT ESRCH EINTR EIO ENXIO E2BIG ENOEXEC EBADF ECHILD EAGAIN ENOMEM EACCES EFAULT ENOTBLK EBUSY EEXIST " +
    "EXDEV ENODEV ENOTDIR EISDIR EINVAL ENFILE EMFILE ENOTTY ETXTBSY EFBIG ENOSPC ESPIPE EROFS EMLINK EPIPE EDOM ERANGE"
  )
    .split(" ")
    .map((name, i): [number, string] => [i + 1, name]),
  [52, "EBADE"],
  [61, "ENODATA"],
  [71, "EPROTO"],
  [74, "EBADMSG"],
  [75, "EOVERFLOW"],
  [92, "ENOPROTOOPT"],
  [93, "EPROTONOSUPPORT"],
  [95, "EOPNOTSUPP"],
  [110, "ETIMEDOUT"],
  [116, "ESTALE"],
  [117, "EUCLEAN"],
  [125, "ECANCELED"],
  [524, "ENOTSUPP"],
]);
/** The largest error number (include/linux/err.h, MAX_ERRNO). */
const MAX_ERRNO = 4_095;

/** `ENOMEM` of 12; the number itself if it has no name here. */
export function errnoName(errno: number): string {
  return NAMES.get(errno) ?? String(errno);
}

/**
 * The error that a call returned, from 1 to 4095; null if it returned none. A trace may print a negative number as
 * unsigned, of 32 or of 64 bits.
 */
export function errnoOf(returned: unknown): number | null {
  if (typeof returned !== "number" && typeof returned !== "bigint" && typeof returned !== "string") return null;
  let value: bigint;
  try {
    value = BigInt(returned);
  } catch {
    return null;
  }
  for (const bits of [64n, 32n]) if (value >= 1n << (bits - 1n) && value < 1n << bits) value -= 1n << bits;
  return value < 0n && value >= -BigInt(MAX_ERRNO) ? Number(-value) : null;
}
