import type { ServiceManager } from '@jupyterlab/services';
import { Poll } from '@lumino/polling';
import { Signal } from '@lumino/signaling';
import type { ISignal } from '@lumino/signaling';

import { RequestError, requestLab } from '../request';
import { isMeasured, parseMemory } from './state';
import type { IMemory } from './state';

const STOPPED_EVENT = 'urn:despejado:lab:program-stopped';
const INTERVAL = 15_000;
const LONGEST_INTERVAL = 120_000;

/**
 * Asks for the lab's memory: slowly while the page is visible and there is a limit, and at once
 * when the server tells that a program was stopped.
 */
export class MemoryWatch {
  constructor(manager: ServiceManager.IManager) {
    this._manager = manager;
    this._poll = new Poll({
      auto: false,
      name: 'despejado-lab:memory',
      factory: () => this._ask(),
      standby: 'when-hidden',
      frequency: { interval: INTERVAL, max: LONGEST_INTERVAL, backoff: true }
    });
    void this._poll.start();
    manager.events.stream.connect((_, event) => {
      if (event.schema_id === STOPPED_EVENT) {
        void this._poll.refresh();
      }
    });
  }

  /** Emitted with each answer. */
  get answered(): ISignal<this, IMemory> {
    return this._answered;
  }

  private async _ask(): Promise<void> {
    let memory: IMemory;
    try {
      memory = parseMemory(
        await requestLab(this._manager.serverSettings, 'memory')
      );
    } catch (error) {
      if (error instanceof RequestError && error.status === 404) {
        // The server side is not there, or older: there is nothing to ask for.
        void this._poll.stop();
        return;
      }
      throw error;
    }
    this._answered.emit(memory);
    if (!isMeasured(memory)) {
      void this._poll.stop();
    }
  }

  private readonly _manager: ServiceManager.IManager;
  private readonly _poll: Poll;
  private readonly _answered = new Signal<this, IMemory>(this);
}
