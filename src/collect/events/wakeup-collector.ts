import { float64Column, int32Column } from "./columns.js";

/** Wake-ups decoded per boot: they explain waits of the path that carries the update, which is short. */
const MAX_WAKEUPS = 250_000;

/** Wake-ups in columns: when, who was woken, by whom, on which CPU. */
export class WakeupCollector {
  readonly time = float64Column();
  readonly woken = int32Column();
  readonly waker = int32Column();
  readonly cpu = int32Column();
  /** Those beyond what is kept. */
  dropped = 0;

  add(time: number, woken: number, waker: number, cpu: number): void {
    if (this.time.length >= MAX_WAKEUPS) {
      this.dropped += 1;
      return;
    }
    this.time.push(time);
    this.woken.push(woken);
    this.waker.push(waker);
    this.cpu.push(cpu);
  }
}
