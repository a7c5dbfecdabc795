import assert from 'node:assert/strict';
import { test } from 'node:test';

import { flatten, parseTree } from '../src/tutorials/tree';

const ANSWER = {
  entries: [
    { kind: 'notebook', path: '01-first-look.ipynb', title: 'A first look' },
    {
      kind: 'folder',
      path: 'images',
      title: 'Images',
      entries: [
        { kind: 'notebook', path: 'images/cut.ipynb', title: 'Cutouts' },
        { kind: 'video', path: 'images/x', title: 'From the future' }
      ]
    }
  ],
  problem: null
};

test('nested tutorials are named with their folders', () => {
  const titles = flatten(parseTree(ANSWER).entries).map(({ title }) => title);
  assert.deepEqual(titles, ['A first look', 'Images / Cutouts']);
});

test('what is not a tree is an empty tree', () => {
  assert.deepEqual(parseTree('oops'), { entries: [], problem: null });
  assert.deepEqual(parseTree({ entries: 5, problem: 'none here' }), {
    entries: [],
    problem: 'none here'
  });
});
