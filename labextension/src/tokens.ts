import { Token } from '@lumino/coreutils';

import type { IHubPages, ILabConfig } from './labConfig';

/** What is known of this lab. */
export interface ILabInfo {
  /** Never rejects: without an answer it tells the little that is known, and the problem. */
  readonly ready: Promise<ILabConfig>;

  /** Null until `ready`. */
  readonly config: ILabConfig | null;

  /** Pages of the hub; known before `ready` on a server that a hub started, null without a hub. */
  readonly hub: IHubPages | null;
}

export const ILabInfo = new Token<ILabInfo>(
  'despejado-lab:ILabInfo',
  'Environment, size, user and hub of this lab.'
);
