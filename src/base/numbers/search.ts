/**
 * Index of the first item for which `holds`, the list's length if it holds for none. From there on it must hold for
 * all.
 */
export function firstIndexWhere<T>(list: readonly T[], holds: (item: T) => boolean): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(list[middle] as T)) high = middle;
    else low = middle + 1;
  }
  return low;
}
