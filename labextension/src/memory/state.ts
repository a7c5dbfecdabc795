/** What `GET despejado/memory` answers, and how it reads. No JupyterLab in here. */

import { isObject } from '../labConfig';

/** A program that was stopped because memory was used up. */
export interface IStop {
  id: string;
  /** The specification of a kernel; null for another program. */
  kernel: string | null;
  /** The path of the kernel's document, if it has one. */
  document: string | null;
  /** The lab's limit in bytes; null if the machine's memory was used up. */
  limit: number | null;
}

export interface IMemory {
  /** Bytes; null where nothing counts them. */
  used: number | null;
  /** Bytes; null is no limit. */
  limit: number | null;
  stops: IStop[];
}

/** From this part of the limit on, memory is nearly full. */
export const NEARLY = 0.9;

function bytes(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}

function text(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

function stop(value: unknown): IStop[] {
  if (!isObject(value)) {
    return [];
  }
  const id = text(value.id);
  if (id === null) {
    return [];
  }
  return [
    {
      id,
      kernel: text(value.kernel),
      document: text(value.document),
      limit: bytes(value.limit)
    }
  ];
}

/** Read an answer; whatever is missing or of another type is null or empty. */
export function parseMemory(answer: unknown): IMemory {
  const top = isObject(answer) ? answer : {};
  const stops = Array.isArray(top.stops) ? top.stops.flatMap(stop) : [];
  return { used: bytes(top.used), limit: bytes(top.limit), stops };
}

/** Whether there is an amount and a limit to compare it with. */
export function isMeasured(
  memory: IMemory
): memory is IMemory & { used: number; limit: number } {
  return memory.used !== null && memory.limit !== null && memory.limit > 0;
}

/** The name of a document without its folders, short enough for a notification. */
export function shortName(path: string): string {
  const name = path.split('/').pop() ?? path;
  return name.length <= 40 ? name : `${name.slice(0, 26)}…${name.slice(-12)}`;
}

/** Remembers by their ids which stops were shown, also when the page is loaded again. */
export class ShownStops {
  constructor(storage: Pick<Storage, 'getItem' | 'setItem'>) {
    this._storage = storage;
  }

  /** Those of `stops` that were not shown before; from now on they count as shown. */
  take(stops: readonly IStop[]): IStop[] {
    const shown = this._read();
    const fresh = stops.filter(({ id }) => !shown.includes(id));
    if (fresh.length > 0) {
      const ids = [...shown, ...fresh.map(({ id }) => id)].slice(-KEPT);
      this._storage.setItem(KEY, JSON.stringify(ids));
    }
    return fresh;
  }

  private _read(): string[] {
    let kept: unknown;
    try {
      kept = JSON.parse(this._storage.getItem(KEY) ?? '[]');
    } catch {
      return [];
    }
    return Array.isArray(kept)
      ? kept.filter((id): id is string => typeof id === 'string')
      : [];
  }

  private readonly _storage: Pick<Storage, 'getItem' | 'setItem'>;
}

const KEY = 'despejado-lab:shown-stops';
const KEPT = 50;
