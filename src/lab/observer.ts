/**
 * The clock outside the guest. The guest's second serial line is a socket here; the workload shakes hands over it
 * (`?`, answered `!`) next to its pause and its resume, and then tells how far the mark was from the quickest of the
 * handshakes on its own clock: `P INDEX NS ±NS` and `R INDEX NS ±NS`. A lone byte would be as late as this process'
 * event loop is, 30 ms on a busy machine; the quickest of some handshakes is good to half of what it took.
 */
import { createServer, type Server } from "node:net";
import { err, ok, type Result } from "../base/result.js";

/** On the host's monotonic clock; null: that mark was never told. */
export interface Observation {
  readonly pausedNs: bigint | null;
  readonly resumedNs: bigint | null;
  /** Of either; where a mark came without a handshake, how late its byte was is not known. */
  readonly uncertaintyNs: bigint | null;
}

interface Seen {
  readonly atNs: bigint;
  readonly uncertaintyNs: bigint | null;
}

const LINE_BYTES = 100;
const HANDSHAKES = 1_000;
const REPORT = /^([PR])(?: (\d{1,3}) (-?\d{1,15}) (\d{1,15}))?$/;

/** What the guest writes, byte by byte, with the time at which each chunk came. `answer` is called for each handshake. */
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
    const [, what, index, after, within] = REPORT.exec(this.#line) ?? [];
    const handshake = index === undefined ? undefined : this.#handshakes[Number(index)];
    this.#line = "";
    this.#handshakes = [];
    if (what === undefined) return;
    const seen: Seen =
      handshake === undefined || after === undefined || within === undefined
        ? { atNs: arrivedNs, uncertaintyNs: null }
        : { atNs: handshake + BigInt(after), uncertaintyNs: BigInt(within) };
    if (what === "P") this.#paused ??= seen;
    else this.#resumed = seen;
  }

  get observation(): Observation {
    const [from, to] = [this.#paused?.uncertaintyNs ?? null, this.#resumed?.uncertaintyNs ?? null];
    return {
      pausedNs: this.#paused?.atNs ?? null,
      resumedNs: this.#resumed?.atNs ?? null,
      uncertaintyNs: from === null || to === null ? null : from + to,
    };
  }
}

export interface Observer {
  readonly observation: () => Observation;
  readonly close: () => void;
}

/** Listens at `path`, at most 107 bytes long (sockaddr_un). The error is a sentence for people. */
export function openObserver(path: string): Promise<Result<Observer, string>> {
  return new Promise((resolve) => {
    let observation: () => Observation = () => ({ pausedNs: null, resumedNs: null, uncertaintyNs: null });
    const server: Server = createServer((socket) => {
      const line = new ObserverLine(() => void socket.write("!"));
      observation = () => line.observation;
      socket.setNoDelay(true);
      socket.on("data", (data) => line.take(data.toString("latin1"), process.hrtime.bigint()));
      socket.on("error", () => {});
    });
    server.on("error", (error) => resolve(err(`The observer's socket cannot be opened: ${error.message}`)));
    server.listen(path, () => resolve(ok({ observation: () => observation(), close: () => void server.close() })));
  });
}
