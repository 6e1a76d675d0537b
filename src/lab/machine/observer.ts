/**
 * The clock outside the guest. The guest's second serial line is a socket here; the workload shakes hands over it (`?`,
 * answered `!`) next to its pause and its resume, and then reports how far the mark was from the fastest handshake on
 * its own clock: `P INDEX NS ±NS TSC` and `R INDEX NS ±NS TSC`. A single byte would be as late as this process's event
 * loop, 30 ms on a busy machine; the fastest handshake is accurate to half its duration. TSC is the guest's time-stamp
 * counter at the mark, for machines whose time is not the host's.
 */
import { createServer, type Server } from "node:net";
import { err, ok, type Result } from "../../base/result.js";

/** On the host's monotonic clock, or the guest's TSC; null: that mark was never reported. */
export interface Observation {
  readonly pausedNs: bigint | null;
  readonly resumedNs: bigint | null;
  /** Of either; null if a mark came without a handshake. */
  readonly uncertaintyNs: bigint | null;
}

interface Seen {
  readonly atNs: bigint;
  readonly uncertaintyNs: bigint | null;
  readonly tsc: bigint | null;
}

/** The clock of an observation. The guest's is for machines whose TSC ticks once per nanosecond. */
export type ObserverClock = "host" | "guest";

const LINE_BYTES = 100;
const HANDSHAKES = 1_000;
const REPORT = /^([PR])(?: (\d{1,3}) (-?\d{1,15}) (\d{1,15}) (\d{1,19}))?$/;

/**
 * What the guest writes, byte by byte, with the time at which each chunk came. `answer` is called for each handshake.
 */
export class ObserverLine {
  #line = "";
  #handshakes: bigint[] = [];
  #paused: Seen | null = null;
  #resumed: Seen | null = null;

  constructor(private readonly answer: () => void) {}

  take(chunk: string, atNs: bigint): void {
    for (const byte of chunk) {
      if (byte === "?") {
        this.answer();
        if (this.#handshakes.length < HANDSHAKES) this.#handshakes.push(atNs);
      } else if (byte === "\n") this.#report(atNs);
      else if (this.#line.length < LINE_BYTES) this.#line += byte;
    }
  }

  #report(arrivedNs: bigint): void {
    const [, what, index, after, within, cycles] = REPORT.exec(this.#line) ?? [];
    const handshake = index === undefined ? undefined : this.#handshakes[Number(index)];
    this.#line = "";
    this.#handshakes = [];
    if (what === undefined) return;
    const tsc = cycles === undefined ? null : BigInt(cycles);
    const seen: Seen =
      handshake === undefined || after === undefined || within === undefined
        ? { atNs: arrivedNs, uncertaintyNs: null, tsc }
        : { atNs: handshake + BigInt(after), uncertaintyNs: BigInt(within), tsc };
    if (what === "P") this.#paused ??= seen;
    else this.#resumed = seen;
  }

  observation(clock: ObserverClock): Observation {
    if (clock === "guest") {
      const [pausedNs, resumedNs] = [this.#paused?.tsc ?? null, this.#resumed?.tsc ?? null];
      return { pausedNs, resumedNs, uncertaintyNs: pausedNs === null || resumedNs === null ? null : 0n };
    }
    const [from, to] = [this.#paused?.uncertaintyNs ?? null, this.#resumed?.uncertaintyNs ?? null];
    return {
      pausedNs: this.#paused?.atNs ?? null,
      resumedNs: this.#resumed?.atNs ?? null,
      uncertaintyNs: from === null || to === null ? null : from + to,
    };
  }
}

export interface Observer {
  readonly observation: (clock: ObserverClock) => Observation;
  readonly close: () => void;
}

/** Listens at `path`, at most 107 bytes long (sockaddr_un). The error is a sentence for the user. */
export function openObserver(path: string): Promise<Result<Observer, string>> {
  return new Promise((resolve) => {
    let observation: (clock: ObserverClock) => Observation = () => ({
      pausedNs: null,
      resumedNs: null,
      uncertaintyNs: null,
    });
    const server: Server = createServer((socket) => {
      const line = new ObserverLine(() => void socket.write("!"));
      observation = (clock) => line.observation(clock);
      socket.setNoDelay(true);
      socket.on("data", (data) => line.take(data.toString("latin1"), process.hrtime.bigint()));
      socket.on("error", () => {});
    });
    server.on("error", (error) => resolve(err(`The observer's socket cannot be opened: ${error.message}`)));
    server.listen(path, () =>
      resolve(ok({ observation: (clock) => observation(clock), close: () => void server.close() })),
    );
  });
}
