/**
 * Makes a kernel function fail, from outside the guest: QEMU's gdb server stops the machine where the function is
 * called, and lets it go on as if the function had returned an error at once. For faults that no workload can cause,
 * such as a refused freeze of a memfd. GDB remote protocol:
 * https://sourceware.org/gdb/current/onlinedocs/gdb.html/Remote-Protocol.html
 */
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { err, ok, type Result } from "../../base/result.js";

/** In QEMU's 'g' packet of x86-64, eight bytes each: rax 0, rbx, rcx, rdx, rsi, rdi, rbp, rsp 7, r8 to r15, rip 16. */
const REGISTER_BYTES = 8;
const RAX = 0;
const RDX = 3;
const RSP = 7;
const RIP = 16;

const ANSWER_MS = 30_000;
const STOPPED = /^[ST][0-9a-f]{2}/;

/** Frames `text` as a packet: `$text#checksum`. */
export function packetOf(text: string): string {
  let sum = 0;
  for (const byte of Buffer.from(text, "latin1")) sum = (sum + byte) & 0xff;
  return `$${text}#${sum.toString(16).padStart(2, "0")}`;
}

const littleEndian = (value: bigint): string => {
  const bytes = Buffer.alloc(REGISTER_BYTES);
  bytes.writeBigUInt64LE(BigInt.asUintN(64, value));
  return bytes.toString("hex");
};
const integerOf = (hex: string): bigint => Buffer.from(hex, "hex").readBigUInt64LE();
const register = (all: string, index: number): string =>
  all.slice(index * REGISTER_BYTES * 2, (index + 1) * REGISTER_BYTES * 2);
const withRegister = (all: string, index: number, value: bigint): string =>
  all.slice(0, index * REGISTER_BYTES * 2) + littleEndian(value) + all.slice((index + 1) * REGISTER_BYTES * 2);

/**
 * The registers after a `ret` from a function's first instruction with `result`; `returnTo` is the address on its
 * stack.
 */
export function returned(all: string, returnTo: string, result: bigint): string {
  const popped = withRegister(all, RSP, integerOf(register(all, RSP)) + BigInt(REGISTER_BYTES));
  return withRegister(withRegister(popped, RAX, result), RIP, integerOf(returnTo));
}

class Connection {
  #received = "";
  #wake: () => void = () => {};

  constructor(private readonly socket: Socket) {
    socket.setEncoding("latin1");
    socket.on("data", (data: string) => {
      this.#received += data;
      this.#wake();
    });
    socket.on("close", () => this.#wake());
    socket.on("error", () => {});
  }

  /**
   * Sends, and waits for the answer; null after `limitMs`, or if the machine has ended. Stop messages also come
   * unsolicited, as when a debugger connects: only `c` and `s` are answered by one.
   */
  async ask(text: string, limitMs: number): Promise<string | null> {
    this.socket.write(packetOf(text));
    const until = Date.now() + limitMs;
    for (;;) {
      const packet = /\$([^#]*)#[0-9a-f]{2}/.exec(this.#received);
      if (packet !== null) {
        this.#received = this.#received.slice(packet.index + packet[0].length);
        this.socket.write("+");
        const answer = packet[1] as string;
        if (STOPPED.test(answer) !== (text === "c" || text === "s")) continue;
        return answer;
      }
      const leftMs = until - Date.now();
      if (leftMs <= 0 || this.socket.destroyed) return null;
      const timer = setTimeout(() => this.#wake(), leftMs);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      clearTimeout(timer);
    }
  }

  /** Lets the machine run, without waiting. */
  resume(): void {
    this.socket.write(packetOf("c"));
  }

  end(): void {
    this.socket.destroy();
  }
}

export interface Injection {
  /** Where the function begins. */
  readonly address: bigint;
  /** What it returns: a negative errno. */
  readonly result: number;
  /** Only the call whose third argument points to a text that begins so; absent: the first call. */
  readonly thirdArgument?: string;
}

export interface Injected {
  /** Resolves when the function was called and returned this value; the error states why that did not happen. */
  readonly done: Promise<Result<void, string>>;
}

function connected(path: string): Promise<Socket | string> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => resolve(socket));
    socket.once("error", (error) => resolve(error.message));
  });
}

/**
 * Sets the trap at the gdb server `path`. When this resolves, the machine runs, and the function's first call will
 * fail; later calls work as usual.
 */
export async function failFirstCall(
  path: string,
  { address, result, thirdArgument }: Injection,
  limitMs: number,
): Promise<Result<Injected, string>> {
  const socket = await connected(path);
  if (typeof socket === "string") return err(`QEMU's debugger cannot be reached: ${socket}`);
  const gdb = new Connection(socket);
  const at = address.toString(16);
  // A hardware breakpoint leaves the kernel's text unchanged, which ftrace patches and checks.
  if ((await gdb.ask(`Z1,${at},1`, ANSWER_MS)) !== "OK") {
    gdb.end();
    return err("QEMU's debugger refuses the breakpoint.");
  }
  /** Whether this is the call that is to fail, by its third argument. */
  const isMeant = async (all: string): Promise<boolean> => {
    if (thirdArgument === undefined) return true;
    const wanted = Buffer.from(thirdArgument, "latin1").toString("hex");
    const found = await gdb.ask(`m${integerOf(register(all, RDX)).toString(16)},${thirdArgument.length}`, ANSWER_MS);
    return found === wanted;
  };
  /** The registers at the call that is to fail; other calls go on. */
  const atCall = async (): Promise<string | null> => {
    const until = Date.now() + limitMs;
    while (Date.now() < until) {
      const stopped = await gdb.ask("c", limitMs);
      if (stopped === null || !/^.05/.test(stopped)) return null;
      const all = await gdb.ask("g", ANSWER_MS);
      if (all === null || all.length < (RIP + 1) * REGISTER_BYTES * 2) return null;
      if (await isMeant(all)) return all;
      await gdb.ask(`z1,${at},1`, ANSWER_MS);
      await gdb.ask("s", ANSWER_MS);
      await gdb.ask(`Z1,${at},1`, ANSWER_MS);
    }
    return null;
  };
  const spring = async (): Promise<Result<void, string>> => {
    const all = await atCall();
    if (all === null) return err("The function was not called.");
    const stack = integerOf(register(all, RSP)).toString(16);
    const returnTo = await gdb.ask(`m${stack},${REGISTER_BYTES}`, ANSWER_MS);
    if (returnTo?.length !== REGISTER_BYTES * 2) return err("QEMU's debugger cannot read the stack.");
    await gdb.ask(`z1,${at},1`, ANSWER_MS);
    if ((await gdb.ask(`G${returned(all, returnTo, BigInt(result))}`, ANSWER_MS)) !== "OK") {
      return err("QEMU's debugger does not set registers.");
    }
    return ok(undefined);
  };
  const done = spring().then(async (how) => {
    gdb.resume();
    // A closed connection stops the machine only if a packet is still in transit.
    await sleep(100);
    gdb.end();
    return how;
  });
  return ok({ done });
}
