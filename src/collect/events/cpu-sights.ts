export interface LastOfCpu {
  readonly pid: number;
  readonly comm: number;
  readonly last: number;
}

/**
 * The first event of each CPU, and the last: when, and of which task. Columns by CPU; the hot loop writes three
 * numbers.
 */
export class CpuSights {
  #first = new Float64Array(0);
  #last = new Float64Array(0);
  #pid = new Int32Array(0);
  #comm = new Uint32Array(0);

  seen(cpu: number, at: number, pid: number, comm: number): void {
    if (cpu < 0) return;
    if (cpu >= this.#first.length) this.#grow(cpu + 1);
    if (Number.isNaN(this.#first[cpu])) this.#first[cpu] = at;
    this.#last[cpu] = at;
    this.#pid[cpu] = pid;
    this.#comm[cpu] = comm;
  }

  begins(cpu: number, at: number): void {
    if (cpu < 0) return;
    if (cpu >= this.#first.length) this.#grow(cpu + 1);
    this.#first[cpu] = at;
  }

  firstOf(cpu: number): number {
    return this.#first[cpu] ?? Number.NaN;
  }

  lastOf(cpu: number): LastOfCpu {
    return { pid: this.#pid[cpu] ?? -1, comm: this.#comm[cpu] ?? 0, last: this.#last[cpu] ?? Number.NaN };
  }

  /** A CPU number is 15 bits in the event table, so that this ends at a megabyte. */
  #grow(least: number): void {
    const length = Math.max(64, 2 ** Math.ceil(Math.log2(least)));
    const [first, last] = [new Float64Array(length).fill(Number.NaN), new Float64Array(length)];
    const [pid, comm] = [new Int32Array(length).fill(-1), new Uint32Array(length)];
    first.set(this.#first);
    last.set(this.#last);
    pid.set(this.#pid);
    comm.set(this.#comm);
    this.#first = first;
    this.#last = last;
    this.#pid = pid;
    this.#comm = comm;
  }
}
