import assert from 'node:assert/strict';
import { test } from 'node:test';

import { badgeLabel, details, detailsText, formatBytes } from '../src/format';
import { parseLabConfig } from '../src/labConfig';

const WEEKLY = parseLabConfig({
  user: {
    name: 'rachel',
    uid: 5001,
    gid: 5001,
    groups: ['rachel', 'lunatics']
  },
  image: {
    tag: 'w_2026_43',
    title: 'Weekly 2026_43',
    digest: 'sha256:abc',
    versions: { 'lsst-utils': '30.2026.4300', astropy: '7.1' }
  },
  size: { name: 'small', cpu: 1, memory: 3221225472 },
  hub: { home_url: '/hub/home', logout_url: '/hub/logout' }
});

test('bytes carry a binary unit', () => {
  assert.equal(formatBytes(512), '512 B');
  assert.equal(formatBytes(3221225472), '3 GiB');
  assert.equal(formatBytes(1610612736), '1.5 GiB');
});

test('the badge names environment and size', () => {
  assert.equal(badgeLabel(WEEKLY, true), 'Weekly 2026_43 · Small');
  assert.equal(badgeLabel(WEEKLY, false), 'Weekly 2026_43');
});

test('a lab of which nothing is known still has a badge', () => {
  const unknown = parseLabConfig(null);
  assert.equal(badgeLabel(unknown, true), 'JupyterLab');
  assert.deepEqual(details(unknown), [
    { label: 'Environment', value: 'JupyterLab' }
  ]);
});

test('values of a wrong type are left out, not shown', () => {
  const odd = parseLabConfig({
    image: { tag: 5, versions: { astropy: 7 } },
    size: { name: 'small', memory: 'much' },
    hub: { home_url: '/hub/home' },
    startup: 'no'
  });
  assert.deepEqual(odd.image.versions, {});
  assert.equal(odd.size.memory, null);
  assert.equal(odd.hub, null);
  assert.equal(odd.startup, null);
});

test('the copied text holds all that a bug report needs', () => {
  assert.deepEqual(detailsText(WEEKLY).trimEnd().split('\n'), [
    'Environment: Weekly 2026_43',
    'Tag: w_2026_43',
    'Digest: sha256:abc',
    'Size: Small: 1 CPU, 3 GiB memory',
    'User: rachel (UID 5001, GID 5001)',
    'Groups: rachel, lunatics',
    'astropy 7.1',
    'lsst-utils 30.2026.4300'
  ]);
});
