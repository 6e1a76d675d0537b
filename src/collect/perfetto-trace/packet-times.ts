/** The times of a whole trace's packets, read before its first events are delivered. */

/** Facts of a whole trace that are needed before its first events are delivered. */
export interface Foresight {
  /** Packets that hold events, some together: byte of the last of each group. */
  readonly at: Float64Array;
  /** The earliest time of that group's events and of all after it, since the base. */
  readonly earliest: Float64Array;
  readonly comms: ReadonlyMap<number, string>;
}

/** Gathers the earliest time of each group of packets. */
export class PacketTimes {
  readonly #at: Float64Array;
  readonly #earliest: Float64Array;
  #groups = 0;
  /** Packets of a group, and of the last one so far. */
  #each = 1;
  #inLast = 0;

  constructor(mostGroups: number) {
    this.#at = new Float64Array(mostGroups);
    this.#earliest = new Float64Array(mostGroups);
  }

  add(at: number, time: number): void {
    let last = this.#groups - 1;
    if (last < 0 || this.#at[last] !== at) {
      this.#inLast += 1;
      if (last < 0 || this.#inLast > this.#each) last = this.#begin();
      this.#at[last] = at;
    }
    if (time < (this.#earliest[last] as number)) this.#earliest[last] = time;
  }

  /** The new last group. */
  #begin(): number {
    if (this.#groups === this.#at.length) this.#pair();
    this.#inLast = 1;
    this.#earliest[this.#groups] = Number.POSITIVE_INFINITY;
    this.#groups += 1;
    return this.#groups - 1;
  }

  #pair(): void {
    this.#groups >>= 1;
    this.#each *= 2;
    for (let i = 0; i < this.#groups; i++) {
      this.#at[i] = this.#at[2 * i + 1] as number;
      this.#earliest[i] = Math.min(this.#earliest[2 * i] as number, this.#earliest[2 * i + 1] as number);
    }
  }

  foresight(comms: ReadonlyMap<number, string>): Foresight {
    const earliest = this.#earliest.subarray(0, this.#groups);
    for (let i = earliest.length - 2; i >= 0; i--) {
      earliest[i] = Math.min(earliest[i] as number, earliest[i + 1] as number);
    }
    return { at: this.#at.subarray(0, this.#groups), earliest, comms };
  }
}
