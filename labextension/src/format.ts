/** How environment, size and user read in the badge and in its dialog. */

import type { ILabConfig, ILabSize, ILabUser } from './labConfig';

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

function unitOf(bytes: number): number {
  let exponent = 0;
  while (bytes >= 1024 ** (exponent + 1) && exponent < UNITS.length - 1) {
    exponent += 1;
  }
  return exponent;
}

function inUnit(bytes: number, exponent: number): number {
  return Math.round((bytes / 1024 ** exponent) * 10) / 10;
}

/** Bytes with a binary unit and at most one decimal: `3 GiB`, `1.5 GiB`. */
export function formatBytes(bytes: number): string {
  const exponent = unitOf(bytes);
  return `${inUnit(bytes, exponent)} ${UNITS[exponent]}`;
}

/** Two amounts in the unit of the second: `1.2 / 3 GiB`. */
export function formatShare(used: number, limit: number): string {
  const exponent = unitOf(limit);
  return `${inUnit(used, exponent)} / ${inUnit(limit, exponent)} ${UNITS[exponent]}`;
}

function capitalised(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}

/** `Small`, or null where the size has no name. */
export function sizeName(size: ILabSize): string | null {
  return size.name === null ? null : capitalised(size.name);
}

/** The sizes with more memory, as they are written for people, by name. */
export function biggerSizes(size: ILabSize): Map<string, string> {
  return new Map(size.bigger.map(name => [capitalised(name), name]));
}

/** `1 CPU, 3 GiB memory`; null if there is no limit. */
export function sizeLimits(size: ILabSize): string | null {
  const limits: string[] = [];
  if (size.cpu !== null) {
    limits.push(`${Math.round(size.cpu * 100) / 100} CPU`);
  }
  if (size.memory !== null) {
    limits.push(`${formatBytes(size.memory)} memory`);
  }
  return limits.length > 0 ? limits.join(', ') : null;
}

/** The environment by its title, else by its tag. */
export function environmentTitle(config: ILabConfig): string {
  return config.image.title ?? config.image.tag ?? 'JupyterLab';
}

/** The words of the badge: `Weekly 2026_43 · Small`. */
export function badgeLabel(config: ILabConfig, showSize: boolean): string {
  const name = sizeName(config.size);
  const title = environmentTitle(config);
  return showSize && name !== null ? `${title} · ${name}` : title;
}

function userLine(user: ILabUser): string | null {
  const numbers: string[] = [];
  if (user.uid !== null) {
    numbers.push(`UID ${user.uid}`);
  }
  if (user.gid !== null) {
    numbers.push(`GID ${user.gid}`);
  }
  const inBrackets = numbers.length > 0 ? `(${numbers.join(', ')})` : null;
  const words = [user.name, inBrackets].filter(word => word !== null);
  return words.length > 0 ? words.join(' ') : null;
}

export interface IDetail {
  label: string;
  value: string;
}

/** The rows of the dialog that are known. */
export function details(config: ILabConfig): IDetail[] {
  const size = [sizeName(config.size), sizeLimits(config.size)]
    .filter(words => words !== null)
    .join(': ');
  const rows: [string, string | null][] = [
    ['Environment', environmentTitle(config)],
    ['Tag', config.image.tag],
    ['Digest', config.image.digest],
    ['Size', size || null],
    ['User', userLine(config.user)],
    ['Groups', config.user.groups.join(', ') || null],
    ['Server', config.serverName || null]
  ];
  return rows.flatMap(([label, value]) =>
    value === null ? [] : [{ label, value }]
  );
}

/** Packages and versions, by name. */
export function versions(config: ILabConfig): IDetail[] {
  return Object.entries(config.image.versions)
    .map(([label, value]) => ({ label, value }))
    .sort((a, b) => a.label.localeCompare(b.label));
}

/** All of it as lines of text, for the clipboard. */
export function detailsText(config: ILabConfig): string {
  const lines = details(config).map(row => `${row.label}: ${row.value}`);
  for (const row of versions(config)) {
    lines.push(`${row.label} ${row.value}`);
  }
  if (config.problem !== null) {
    lines.push(config.problem);
  }
  if (config.startup !== null) {
    lines.push(config.startup.details);
  }
  return lines.join('\n') + '\n';
}
