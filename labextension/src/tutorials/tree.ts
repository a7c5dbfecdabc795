/** The tree of tutorials as the server tells it. No JupyterLab in here. */

import { isObject } from '../labConfig';

export interface ITutorial {
  kind: 'notebook';
  path: string;
  title: string;
}

export interface ITutorialFolder {
  kind: 'folder';
  path: string;
  title: string;
  entries: TutorialEntry[];
}

export type TutorialEntry = ITutorial | ITutorialFolder;

export interface ITutorialTree {
  entries: TutorialEntry[];
  /** Why there are none, in words; null if all is well. */
  problem: string | null;
}

function parseEntry(value: unknown): TutorialEntry[] {
  if (!isObject(value)) {
    return [];
  }
  const { kind, path, title } = value;
  if (typeof path !== 'string' || typeof title !== 'string') {
    return [];
  }
  if (kind === 'notebook') {
    return [{ kind, path, title }];
  }
  return kind === 'folder'
    ? [{ kind, path, title, entries: parseEntries(value.entries) }]
    : [];
}

function parseEntries(value: unknown): TutorialEntry[] {
  return Array.isArray(value) ? value.flatMap(parseEntry) : [];
}

/** Read an answer of `GET despejado/tutorials`; entries of unknown kinds are left out. */
export function parseTree(answer: unknown): ITutorialTree {
  if (!isObject(answer)) {
    return { entries: [], problem: null };
  }
  return {
    entries: parseEntries(answer.entries),
    problem: typeof answer.problem === 'string' ? answer.problem : null
  };
}

/** All notebooks, depth first, with their folders in front: `Images / Cutouts`. */
export function flatten(
  entries: readonly TutorialEntry[],
  above = ''
): ITutorial[] {
  return entries.flatMap(entry => {
    const title = above + entry.title;
    return entry.kind === 'folder'
      ? flatten(entry.entries, `${title} / `)
      : [{ ...entry, title }];
  });
}
