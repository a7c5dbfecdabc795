import type { JupyterFrontEndPlugin } from '@jupyterlab/application';

import { badgePlugin } from './badge/plugin';
import { exitPlugin } from './exit/plugin';
import { infoPlugin } from './info';
import { memoryPlugin } from './memory/plugin';
import { startupPlugin } from './startup/plugin';
import { tutorialsPlugin } from './tutorials/plugin';

export { ILabInfo } from './tokens';

// The exits come first: a lab that started badly must still have them.
const plugins: JupyterFrontEndPlugin<unknown>[] = [
  infoPlugin,
  exitPlugin,
  startupPlugin,
  badgePlugin,
  memoryPlugin,
  tutorialsPlugin
];

export default plugins;
