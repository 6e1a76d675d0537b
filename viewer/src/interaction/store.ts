/** Holds the state, and notifies the views of changes once per frame, however many actions there were. */
import { type Action, reduce, type State } from "./state.js";

export type Dispatch = (action: Action) => void;

export interface Store {
  readonly state: () => State;
  readonly dispatch: Dispatch;
  /** Calls `view` now and after each change. */
  readonly subscribe: (view: (state: State) => void) => void;
}

export function createStore(first: State, schedule: (flush: () => void) => void): Store {
  let state = first;
  let scheduled = false;
  const views: ((state: State) => void)[] = [];
  return {
    state: () => state,
    dispatch(action) {
      const next = reduce(state, action);
      if (next === state) return;
      state = next;
      if (scheduled) return;
      scheduled = true;
      schedule(() => {
        scheduled = false;
        for (const view of views) view(state);
      });
    },
    subscribe(view) {
      views.push(view);
      view(state);
    },
  };
}

/** A view that renders only if the part of the state that it reads has changed. */
export function whenChanged(read: (state: State) => readonly unknown[], render: (state: State) => void) {
  let seen: readonly unknown[] | null = null;
  return (state: State): void => {
    const now = read(state);
    if (seen?.every((value, i) => value === now[i])) return;
    seen = now;
    render(state);
  };
}
