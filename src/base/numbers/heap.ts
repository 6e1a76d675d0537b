/**
 * A binary heap: the least item first. `order` is as for Array.prototype.sort, and total where equal items must come in
 * one order: a heap keeps none among equals. O(log n) for push, pop and sink.
 */
export class Heap<T> {
  readonly #items: T[];
  readonly #order: (a: T, b: T) => number;

  constructor(order: (a: T, b: T) => number, items: Iterable<T> = []) {
    this.#order = order;
    this.#items = [...items];
    for (let at = (this.#items.length >> 1) - 1; at >= 0; at--) this.#siftDown(at);
  }

  get size(): number {
    return this.#items.length;
  }

  /** The least item; undefined if the heap is empty. */
  peek(): T | undefined {
    return this.#items[0];
  }

  /** The least item but one; undefined if there are fewer than two. */
  second(): T | undefined {
    const [, left, right] = this.#items;
    return right !== undefined && this.#order(right, left as T) < 0 ? right : left;
  }

  push(item: T): void {
    const items = this.#items;
    let at = items.length;
    items.push(item);
    while (at > 0) {
      const up = (at - 1) >> 1;
      const above = items[up] as T;
      if (this.#order(item, above) >= 0) break;
      items[at] = above;
      at = up;
    }
    items[at] = item;
  }

  /** Removes and returns the least item. */
  pop(): T | undefined {
    const items = this.#items;
    const top = items[0];
    const last = items.pop();
    if (items.length > 0) {
      items[0] = last as T;
      this.#siftDown(0);
    }
    return top;
  }

  /** Moves the first item to its place after its order has changed. */
  sink(): void {
    this.#siftDown(0);
  }

  #siftDown(from: number): void {
    const items = this.#items;
    const { length } = items;
    if (from >= length) return;
    const moved = items[from] as T;
    let at = from;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= length) break;
      if (child + 1 < length && this.#order(items[child + 1] as T, items[child] as T) < 0) child += 1;
      const below = items[child] as T;
      if (this.#order(below, moved) >= 0) break;
      items[at] = below;
      at = child;
    }
    items[at] = moved;
  }
}
