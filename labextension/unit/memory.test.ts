import assert from 'node:assert/strict';
import { test } from 'node:test';

import { spawnLink } from '../src/exit/spawnLink';
import { biggerSizes, formatShare } from '../src/format';
import { parseLabConfig } from '../src/labConfig';
import {
  ShownStops,
  isMeasured,
  parseMemory,
  shortName
} from '../src/memory/state';

const GIB = 1024 ** 3;
const STOP = {
  id: 'a',
  kernel: 'python3',
  document: 'work/large.ipynb',
  limit: 3 * GIB
};

class Storage {
  getItem(): string | null {
    return this.content;
  }

  setItem(_: string, content: string): void {
    this.content = content;
  }

  content: string | null = null;
}

test('two amounts share the unit of the limit', () => {
  assert.equal(formatShare(1.2 * GIB, 3 * GIB), '1.2 / 3 GiB');
  assert.equal(formatShare(300 * 1024 ** 2, 3 * GIB), '0.3 / 3 GiB');
  assert.equal(formatShare(0, 512 * 1024 ** 2), '0 / 512 MiB');
});

test('an answer of another form is no memory and no stops', () => {
  assert.deepEqual(parseMemory('oops'), { used: null, limit: null, stops: [] });
  const odd = parseMemory({ used: 'much', limit: 5, stops: [1, {}, STOP] });
  assert.equal(isMeasured(odd), false);
  assert.deepEqual(odd.stops, [STOP]);
});

test('without a limit there is nothing to measure', () => {
  assert.equal(isMeasured(parseMemory({ used: 5, limit: null })), false);
  assert.equal(isMeasured(parseMemory({ used: 0, limit: 5 })), true);
});

test('a stop is shown once, also on a page that is loaded again', () => {
  const storage = new Storage();
  assert.deepEqual(new ShownStops(storage).take([STOP]), [STOP]);
  assert.deepEqual(new ShownStops(storage).take([STOP]), []);
  const later = { ...STOP, id: 'b' };
  assert.deepEqual(new ShownStops(storage).take([STOP, later]), [later]);
});

test('a broken memory of what was shown is none', () => {
  for (const content of ['{', '5', '[5, "x"]']) {
    const storage = new Storage();
    storage.content = content;
    assert.deepEqual(new ShownStops(storage).take([STOP]), [STOP]);
  }
});

test('a name is without folders and fits', () => {
  assert.equal(shortName('work/large.ipynb'), 'large.ipynb');
  const long = shortName(`work/${'x'.repeat(200)}.ipynb`);
  assert.ok(long.length <= 40 && long.endsWith('.ipynb'));
});

test('bigger sizes are named as people read them', () => {
  const config = parseLabConfig({
    size: { name: 'small', bigger: ['medium', 5, 'large'] }
  });
  assert.deepEqual(
    [...biggerSizes(config.size)],
    [
      ['Medium', 'medium'],
      ['Large', 'large']
    ]
  );
});

test('the link to a bigger lab asks for the same image', () => {
  assert.equal(
    spawnLink('/hub/spawn/rachel', 'w_2026_43', 'medium'),
    '/hub/spawn/rachel?opt-image=w_2026_43&opt-size=medium'
  );
  assert.equal(
    spawnLink('/hub/spawn', null, 'a&b'),
    '/hub/spawn?opt-size=a%26b'
  );
});
