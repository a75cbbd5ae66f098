import { useCallback, useSyncExternalStore } from 'react';
import type { Draft, Patch } from './patches';

export type Listener<State> = (next: Readonly<State>, previous: Readonly<State>) => void;
type Selector<State, Slice> = (state: Readonly<State>) => Slice;

export interface Store<State extends object> {
  readonly get: () => Readonly<State>;
  update(recipe: (draft: Draft<State>) => void | Promise<void>): Patch[];
  subscribe(listener: Listener<State>): () => void;
}

export enum Status {
  Idle = 'idle',
  Loading = 'loading',
  Failed = 'failed',
}

interface Todo {
  id: `${string}-${number}`;
  title: string;
  done?: boolean;
  tags: ReadonlyArray<string>;
}

const isTodo = (value: unknown): value is Todo =>
  typeof value === 'object' && value !== null && 'id' in value && 'title' in value;

export function createStore<State extends object>(initial: State): Store<State> {
  let state: Readonly<State> = Object.freeze({ ...initial });
  const listeners = new Set<Listener<State>>();

  return {
    get: () => state,
    update(recipe) {
      const previous = state;
      const draft = structuredClone(previous) as Draft<State>;
      recipe(draft);
      state = Object.freeze(draft as State);
      listeners.forEach((listener) => listener(state, previous));
      return diff(previous, state);
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

function diff<T extends object>(before: T, after: T): Patch[] {
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]) as Set<keyof T & string>;
  return [...keys]
    .filter((key) => !Object.is(before[key], after[key]))
    .map((key) => ({ op: key in after ? 'replace' : 'remove', path: ['', key].join('/'), value: after[key] }));
}

export function useStore<S extends object, Slice>(store: Store<S>, select: Selector<S, Slice>): Slice {
  const subscribe = useCallback((notify: () => void) => store.subscribe(() => notify()), [store]);
  return useSyncExternalStore(subscribe, () => select(store.get()));
}

export async function load(url: URL, init?: RequestInit): Promise<Todo[]> {
  const response = await fetch(url, { ...init, headers: { accept: 'application/json' } });
  if (!response.ok) throw new Error(`${response.status} ${response.statusText}: ${url.pathname}`);
  const body: unknown = await response.json();
  return Array.isArray(body) ? body.filter(isTodo) : [];
}
