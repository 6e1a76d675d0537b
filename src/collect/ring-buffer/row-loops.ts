/**
 * The raw readers' loops over a RowMemory. In WebAssembly an array is a constant offset, where JavaScript needs its base
 * and its length in registers: the merge reads or writes eleven arrays for each event. Measured on 2.5 million events
 * (bench/raw-pages.mjs), all columns filled: 1.6 times as fast.
 */
import {
  block,
  call,
  f64,
  type Local,
  leave,
  leaveIf,
  loop,
  op,
  type WasmCode,
  wasmExports,
  wasmFunction,
  wasmModule,
  when,
} from "../../base/bytes/wasm.js";
import { IdUse, LAST_SHORT_DATA } from "./page-cursor.js";
import { COMM_SLOTS, type RowMemory } from "./row-memory.js";

export interface RowLoops {
  /**
   * Writes rows from `row` on, in the order of time and, where times are equal, of the cursors; returns the row after
   * the last. `size` is that of the heap. It ends where the columns are full, or, `pending`, where a CPU's next record is
   * none that can be read without a look aside.
   */
  fill(size: number, row: number): number;
  /** Each fills its column for the first `count` rows. */
  cpu(count: number): void;
  comm(count: number): void;
  name(count: number): void;
  kind(count: number): void;
  place(count: number): void;
}

/** What the loops have to know beside the memory. */
export interface LoopFacts {
  /** Where in a record's payload its task is, in words. */
  readonly pidWord: number;
  /** Records are as the fast loop takes them: little-endian, and wanted whatever their time and task. */
  readonly isPlain: boolean;
  /** The task's name, an id in the string table. */
  commOf(pid: number): number;
}

export function rowLoops(memory: RowMemory, facts: LoopFacts): RowLoops {
  return memory.wasm === null || !facts.isPlain ? new ScriptLoops(memory, facts) : wasmLoops(memory, facts);
}

class ScriptLoops implements RowLoops {
  readonly #memory: RowMemory;
  readonly #facts: LoopFacts;

  constructor(memory: RowMemory, facts: LoopFacts) {
    this.#memory = memory;
    this.#facts = facts;
  }

  fill(size: number, from: number): number {
    const { time, word, id, pid, capacity, words, use, order } = this.#memory;
    const { standingTime, standingWord, standingId, standingPid, at: places, end: ends, records } = this.#memory;
    const { lastTime, lastPid } = this.#memory;
    const { pidWord, isPlain } = this.#facts;
    const least = pidWord + 1;
    let row = from;
    let pending = false;
    while (!pending && row < capacity) {
      const index = order[0] as number;
      // The last time that it may write before it is another's turn; times are whole numbers.
      let until = Number.POSITIVE_INFINITY;
      if (size > 1) {
        let next = order[1] as number;
        if (size > 2 && isBefore(standingTime, order[2] as number, next)) next = order[2] as number;
        until = (standingTime[next] as number) - (index < next ? 0 : 1);
      }
      const end = isPlain ? (ends[index] as number) : 0;
      let walked = 0;
      let at = places[index] as number;
      let now = standingTime[index] as number;
      let ownWord = standingWord[index] as number;
      let ownId = standingId[index] as number;
      let ownPid = standingPid[index] as number;
      for (;;) {
        time[row] = now;
        word[row] = ownWord;
        id[row] = ownId;
        pid[row] = ownPid;
        row += 1;
        pending = true;
        if (row >= capacity) break;
        // Events that are not wanted are passed over here: no CPU's turn depends on them.
        for (;;) {
          if (at >= end) break;
          const header = words[at] as number;
          const type = header & 31;
          ownId = (words[at + 1] as number) & 0xffff;
          if (type < least || type > LAST_SHORT_DATA || at + type >= end || use[ownId] === IdUse.unknown) break;
          now += header >>> 5;
          ownWord = (at + 1) << 1;
          ownPid = words[at + 1 + pidWord] as number;
          at += 1 + type;
          walked += 1;
          if (use[ownId] === IdUse.wanted) {
            pending = false;
            break;
          }
        }
        if (pending || now > until) break;
      }
      places[index] = at;
      standingTime[index] = now;
      records[index] = (records[index] as number) + walked;
      if (walked > 0) {
        lastTime[index] = now;
        lastPid[index] = ownPid;
      }
      if (!pending) {
        standingWord[index] = ownWord;
        standingId[index] = ownId;
        standingPid[index] = ownPid;
        sink(order, size, standingTime, 0);
      }
    }
    this.#memory.pending[0] = pending ? 1 : 0;
    return row;
  }

  cpu(count: number): void {
    const { cpu, cpuOf, word, wordShift } = this.#memory;
    const shift = wordShift + 1;
    for (let row = 0; row < count; row++) cpu[row] = cpuOf[(word[row] as number) >>> shift] as number;
  }

  comm(count: number): void {
    const { comm, pid, slotPid, slotComm } = this.#memory;
    for (let row = 0; row < count; row++) {
      const task = pid[row] as number;
      const slot = task & (COMM_SLOTS - 1);
      if (slotPid[slot] !== task) {
        slotPid[slot] = task;
        slotComm[slot] = this.#facts.commOf(task);
      }
      comm[row] = slotComm[slot] as number;
    }
  }

  name(count: number): void {
    const { name, id, names } = this.#memory;
    for (let row = 0; row < count; row++) name[row] = names[id[row] as number] as number;
  }

  kind(count: number): void {
    const { kind, id, kinds } = this.#memory;
    for (let row = 0; row < count; row++) kind[row] = kinds[id[row] as number] as number;
  }

  place(count: number): void {
    const { place, word, wordShift, fileOffset } = this.#memory;
    const shift = wordShift + 1;
    for (let row = 0; row < count; row++) {
      const own = word[row] as number;
      place[row] = (fileOffset[own >>> shift] as number) + (own >> 1) * 4;
    }
  }
}

export function isBefore(time: Float64Array, a: number, b: number): boolean {
  const own = time[a] as number;
  const other = time[b] as number;
  return own < other || (own === other && a < b);
}

/** Moves the entry at `from` of a heap of cursors down to where it belongs. */
export function sink(order: Uint32Array, size: number, time: Float64Array, from: number): void {
  let at = from;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= size) return;
    if (child + 1 < size && isBefore(time, order[child + 1] as number, order[child] as number)) child += 1;
    const below = order[child] as number;
    const own = order[at] as number;
    if (!isBefore(time, below, own)) return;
    order[at] = below;
    order[child] = own;
    at = child;
  }
}

function wasmLoops(memory: RowMemory, facts: LoopFacts): RowLoops {
  const { wasm, slotPid, slotComm } = memory;
  if (wasm === null) throw new Error("the arrays are not in a WebAssembly memory");
  const learn = (pid: number): number => {
    const slot = pid & (COMM_SLOTS - 1);
    slotPid[slot] = pid;
    slotComm[slot] = facts.commOf(pid);
    return slotComm[slot] as number;
  };
  return wasmExports(moduleOf(memory, facts), wasm, { learn }) as unknown as RowLoops;
}

type SixLocals = [Local, Local, Local, Local, Local, Local];

/** The index of the imported function. */
const LEARN = 0;

/** As ScriptLoops, line by line. */
function moduleOf(memory: RowMemory, { pidWord }: LoopFacts): Uint8Array<ArrayBuffer> {
  const at = Object.fromEntries(
    Object.entries(memory).flatMap(([name, value]) => (ArrayBuffer.isView(value) ? [[name, value.byteOffset]] : [])),
  ) as { readonly [K in keyof RowMemory]: number };
  const shift = memory.wordShift + 1;
  const { add, sub, and, or, shl, shrU } = op;

  const fill = wasmFunction("fill", 2, ([size, row], local) => {
    if (size === undefined || row === undefined) return [];
    const [index, next, other, end, walked, place] = Array.from({ length: 6 }, () => local.i32()) as SixLocals;
    const [word, id, pid, header, type, pending] = Array.from({ length: 6 }, () => local.i32()) as SixLocals;
    const [hole, child, below, use] = [local.i32(), local.i32(), local.i32(), local.i32()];
    const [until, now] = [local.f64(), local.f64()];
    const timeOf = (cursor: Local) => op.loadF64(shl(cursor.get, 3), at.standingTime);
    const before = (a: Local, b: Local) =>
      or(op.ltF64(timeOf(a), timeOf(b)), and(op.eqF64(timeOf(a), timeOf(b)), op.ltU(a.get, b.get)));
    const by2 = shl(index.get, 1);
    const by4 = shl(index.get, 2);
    const by8 = shl(index.get, 3);
    return [
      pending.set(0),
      block(
        loop(
          leaveIf(1, op.geU(row.get, memory.capacity)),
          index.set(op.load(0, at.order)),
          until.set(f64(Number.POSITIVE_INFINITY)),
          when(
            op.gtU(size.get, 1),
            next.set(op.load(4, at.order)),
            when(op.gtU(size.get, 2), other.set(op.load(8, at.order)), when(before(other, next), next.set(other.get))),
            until.set(timeOf(next)),
            when(op.gtU(index.get, next.get), until.set(op.subF64(until.get, f64(1)))),
          ),
          end.set(op.load(by4, at.end)),
          walked.set(0),
          place.set(op.load(by4, at.at)),
          now.set(op.loadF64(by8, at.standingTime)),
          word.set(op.load(by4, at.standingWord)),
          id.set(op.load16(by2, at.standingId)),
          pid.set(op.load(by4, at.standingPid)),
          block(
            loop(
              op.storeF64(shl(row.get, 3), now.get, at.time),
              op.store(shl(row.get, 2), word.get, at.word),
              op.store16(shl(row.get, 1), id.get, at.id),
              op.store(shl(row.get, 2), pid.get, at.pid),
              row.set(add(row.get, 1)),
              pending.set(1),
              leaveIf(1, op.geU(row.get, memory.capacity)),
              // Events that are not wanted are passed over in this loop.
              block(
                loop(
                  leaveIf(3, op.geU(place.get, end.get)),
                  header.set(op.load(shl(place.get, 2), at.words)),
                  type.set(and(header.get, 31)),
                  id.set(op.load16(shl(place.get, 2), at.words + 4)),
                  leaveIf(3, op.gtU(sub(type.get, pidWord + 1), LAST_SHORT_DATA - pidWord - 1)),
                  leaveIf(3, op.geU(add(place.get, type.get), end.get)),
                  use.set(op.load8(id.get, at.use)),
                  leaveIf(3, op.eqz(use.get)),
                  now.set(op.addF64(now.get, op.toF64(shrU(header.get, 5)))),
                  word.set(shl(add(place.get, 1), 1)),
                  pid.set(op.load(shl(place.get, 2), at.words + 4 * (1 + pidWord))),
                  place.set(add(place.get, add(type.get, 1))),
                  walked.set(add(walked.get, 1)),
                  leaveIf(0, op.ne(use.get, IdUse.wanted)),
                ),
              ),
              pending.set(0),
              leaveIf(0, op.eqz(op.gtF64(now.get, until.get))),
            ),
          ),
          op.store(by4, place.get, at.at),
          op.storeF64(by8, now.get, at.standingTime),
          when(
            walked.get,
            op.storeF64(by8, op.addF64(op.loadF64(by8, at.records), op.toF64(walked.get)), at.records),
            op.storeF64(by8, now.get, at.lastTime),
            op.store(by4, pid.get, at.lastPid),
          ),
          leaveIf(1, pending.get),
          op.store(by4, word.get, at.standingWord),
          op.store16(by2, id.get, at.standingId),
          op.store(by4, pid.get, at.standingPid),
          hole.set(0),
          block(
            loop(
              child.set(add(shl(hole.get, 1), 1)),
              leaveIf(1, op.geU(child.get, size.get)),
              below.set(op.load(shl(child.get, 2), at.order)),
              when(
                op.ltU(add(child.get, 1), size.get),
                other.set(op.load(shl(child.get, 2), at.order + 4)),
                when(before(other, below), child.set(add(child.get, 1)), below.set(other.get)),
              ),
              leaveIf(1, op.eqz(before(below, index))),
              op.store(shl(hole.get, 2), below.get, at.order),
              op.store(shl(child.get, 2), index.get, at.order),
              hole.set(child.get),
              leave(0),
            ),
          ),
          leave(0),
        ),
      ),
      op.store(0, pending.get, at.pending),
      row.get,
    ];
  });

  /** A loop over rows; `body` gets the row. */
  const column = (name: string, body: (row: Local, local: { i32(): Local }) => readonly WasmCode[]) =>
    wasmFunction(name, 1, ([count], local) => {
      if (count === undefined) return [];
      const row = local.i32();
      const each = body(row, local);
      return [
        block(loop(leaveIf(1, op.geU(row.get, count.get)), ...each, row.set(add(row.get, 1)), leave(0))),
        row.get,
      ];
    });
  const idOf = (row: Local) => op.load16(shl(row.get, 1), at.id);
  const name = column("name", (row) => [op.store(shl(row.get, 2), op.load(shl(idOf(row), 2), at.names), at.name)]);
  const kind = column("kind", (row) => [op.store8(row.get, op.load8(idOf(row), at.kinds), at.kind)]);
  const wordOf = (row: Local) => op.load(shl(row.get, 2), at.word);
  const cpu = column("cpu", (row) => [
    op.store16(shl(row.get, 1), op.load16(shl(shrU(wordOf(row), shift), 1), at.cpuOf), at.cpu),
  ]);
  const place = column("place", (row, local) => {
    const word = local.i32();
    const offset = op.loadF64(shl(shrU(word.get, shift), 3), at.fileOffset);
    return [
      word.set(wordOf(row)),
      op.storeF64(shl(row.get, 3), op.addF64(offset, op.toF64(shl(shrU(word.get, 1), 2))), at.place),
    ];
  });
  const comm = column("comm", (row, local) => {
    const [pid, slot, found] = [local.i32(), local.i32(), local.i32()];
    return [
      pid.set(op.load(shl(row.get, 2), at.pid)),
      slot.set(shl(and(pid.get, COMM_SLOTS - 1), 2)),
      found.set(op.load(slot.get, at.slotComm)),
      when(op.ne(op.load(slot.get, at.slotPid), pid.get), found.set(call(LEARN, pid.get))),
      op.store(shl(row.get, 2), found.get, at.comm),
    ];
  });
  return wasmModule(["learn"], [fill, cpu, comm, name, kind, place]);
}
