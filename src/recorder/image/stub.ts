/**
 * The machine code of the two stamps: docs/image-stamp.md has it byte by byte. A stamp reads the TSC and stores it in
 * `boot_params._pad4`, which no kernel uses, clears in a kexec, or hides: /sys/kernel/boot_params/data shows it.
 */

const bytesOf = (...hex: readonly string[]): Uint8Array => Uint8Array.from(Buffer.from(hex.join(""), "hex"));

/** Offsets in boot_params of the two stamps, eight bytes each, least byte first. */
export const STAMP_OFFSETS = { entry: 0xd0, exit: 0xd8 } as const;

/** rdtsc; shl $32,%rdx; or %rdx,%rax: the TSC in %rax, at the price of %rdx and the flags. */
const READ_TSC = "0f3148c1e2204809d0";

/** cld; cli; xor %eax,%eax; mov %eax,%ds: the first instructions at the 64-bit entry, since Linux 2.6.22. */
export const ENTRY = bytesOf("fcfa31c08ed8");

/** Where stamp 1 stands: right before the entry, in what `.org 0x200` fills up with zeros. */
export const ENTRY_STUB_BYTES = 32;

/** jmp .-32; 4-byte nop: to stamp 1. */
export const ENTRY_HOOK = bytesOf("ebde", "0f1f4000");

/** mov %rax,0xd0(%rsi); the entry's own instructions; jmp to behind the hook; who made it. */
export const ENTRY_STUB = bytesOf(
  READ_TSC,
  "488986d0000000",
  "fcfa31c08ed8",
  "eb0e",
  Buffer.from("blackout", "latin1").toString("hex"),
);

/** call extract_kernel: the opcode, and the size of the instruction. */
export const CALL = 0xe8;
export const CALL_BYTES = 5;

/** mov %r15,%rsi; jmp *%rax: into the unpacked kernel, since Linux 6.6. The call of extract_kernel is before it. */
export const EXIT = bytesOf("4c89fe", "ffe0");

/** The same in Linux before 6.6, too short for a jump: pop %rsi; jmp *%rax. */
export const EXIT_BEFORE_6_6 = bytesOf("5effe0");

/** mov %rax,%rcx; the TSC; mov %rax,0xd8(%r15); the exit's own instruction; jmp *%rcx. */
export const EXIT_STUB = bytesOf("4889c1", READ_TSC, "498987d8000000", "4c89fe", "ffe1");

const JUMP = 0xe9;

/** jmp from `at` to `target`, offsets in the image; as long as the exit's instructions. */
export function jumpTo(at: number, target: number): Uint8Array {
  const code = Buffer.alloc(EXIT.length);
  code.writeUInt8(JUMP, 0);
  code.writeInt32LE(target - (at + EXIT.length), 1);
  return code;
}

/** Whether `bytes` have `pattern` at `at`. */
export function hasAt(bytes: Uint8Array, at: number, pattern: Uint8Array): boolean {
  if (at < 0 || at + pattern.length > bytes.length) return false;
  return pattern.every((byte, i) => bytes[at + i] === byte);
}

/** Where `pattern` stands in `bytes` from `from` to `to`. */
export function placesOf(bytes: Uint8Array, pattern: Uint8Array, from: number, to: number): readonly number[] {
  const within = Buffer.from(bytes.buffer, bytes.byteOffset, to);
  const places: number[] = [];
  for (let at = within.indexOf(pattern, from); at >= 0; at = within.indexOf(pattern, at + 1)) places.push(at);
  return places;
}
