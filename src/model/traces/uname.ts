export interface UnameSystem {
  readonly release: string | null;
  /** As `uname -m` prints it. */
  readonly machine: string | null;
}

/** `x86_64`, `aarch64`, `i686`: lower case, and with a digit; words of a version and of a date are not of this form. */
const MACHINE = /^(?=\w*\d)[a-z]\w+$/;

/**
 * The release and the machine of `Linux NODE RELEASE MACHINE`, as trace-cmd writes it, or of what `uname -a` prints:
 * `Linux NODE RELEASE #VERSION… MACHINE [PROCESSOR PLATFORM] GNU/Linux`. Null for what the text does not state.
 */
export function systemOfUname(text: string | null): UnameSystem {
  const words = (text ?? "").trim().split(/\s+/);
  if (words[0] !== "Linux") return { release: null, machine: null };
  const machine = words.slice(3).findLast((word) => MACHINE.test(word)) ?? null;
  return { release: words[2] ?? null, machine };
}
