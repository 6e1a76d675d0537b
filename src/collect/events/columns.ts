/** A typed column that grows by doubling: rows are appended one value at a time, and read as one array at the end. */
export class Column<A extends Float64Array | Int32Array> {
  readonly #make: (length: number) => A;
  #values: A;
  #length = 0;

  constructor(make: (length: number) => A) {
    this.#make = make;
    this.#values = make(1024);
  }

  get length(): number {
    return this.#length;
  }

  push(value: number): void {
    if (this.#length === this.#values.length) {
      const grown = this.#make(this.#length * 2);
      grown.set(this.#values);
      this.#values = grown;
    }
    this.#values[this.#length++] = value;
  }

  /** NaN beyond the end. */
  at(row: number): number {
    return row < this.#length ? (this.#values[row] as number) : Number.NaN;
  }

  set(row: number, value: number): void {
    if (row < this.#length) this.#values[row] = value;
  }

  array(): A {
    return this.#values.subarray(0, this.#length) as A;
  }
}

/** A growing column of texts of which many are alike: each is kept once, a row costs four bytes. */
export class TextColumn<T extends string = string> {
  readonly #ids = int32Column();
  readonly #texts: T[] = [];
  readonly #idOf = new Map<T, number>();

  get length(): number {
    return this.#ids.length;
  }

  #id(text: T): number {
    const known = this.#idOf.get(text);
    if (known !== undefined) return known;
    const id = this.#texts.push(text) - 1;
    this.#idOf.set(text, id);
    return id;
  }

  push(text: T): void {
    this.#ids.push(this.#id(text));
  }

  /** Undefined beyond the end. */
  at(row: number): T | undefined {
    return this.#texts[this.#ids.at(row)];
  }

  set(row: number, text: T): void {
    this.#ids.set(row, this.#id(text));
  }
}

export const float64Column = (): Column<Float64Array> => new Column((length) => new Float64Array(length));
export const int32Column = (): Column<Int32Array> => new Column((length) => new Int32Array(length));
