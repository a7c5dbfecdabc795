import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import {
  Dialog,
  ICommandPalette,
  InputDialog,
  showDialog
} from '@jupyterlab/apputils';
import { IDocumentManager } from '@jupyterlab/docmanager';
import { ILauncher } from '@jupyterlab/launcher';
import { IMainMenu } from '@jupyterlab/mainmenu';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import type { TranslationBundle } from '@jupyterlab/translation';
import { DisposableSet } from '@lumino/disposable';

import { CommandIDs } from '../commands';
import { markIcon } from '../icons';
import { RequestError, requestLab } from '../request';
import { createMenu, fillMenu } from './menu';
import { TutorialOpener } from './opener';
import { flatten, parseTree } from './tree';
import type { ITutorialTree } from './tree';

const PLUGIN_ID = 'despejado-lab:tutorials';
/** After all menus but Settings and Help. */
const MENU_RANK = 900;
/** The launcher stays a launcher: no more cards than this. */
const MOST_CARDS = 6;

const NOT_YET: ITutorialTree = { entries: [], problem: null };

const OPEN_ARGUMENTS = {
  args: {
    type: 'object',
    properties: {
      path: {
        type: 'string',
        description:
          'Path of the tutorial in the list of tutorials; without it, the user is asked'
      },
      title: { type: 'string', description: 'Title shown in menus' }
    }
  }
} as const;

const REFRESH_ARGUMENTS = {
  args: {
    type: 'object',
    properties: {
      problem: {
        type: 'string',
        description: 'Text shown instead of the label'
      }
    }
  }
} as const;

async function loadTree(app: JupyterFrontEnd): Promise<ITutorialTree> {
  try {
    return parseTree(
      await requestLab(app.serviceManager.serverSettings, 'tutorials')
    );
  } catch (error) {
    if (!(error instanceof RequestError)) {
      throw error;
    }
    return { entries: [], problem: error.message };
  }
}

async function choose(
  tree: ITutorialTree,
  trans: TranslationBundle
): Promise<string | null> {
  const notebooks = flatten(tree.entries);
  if (notebooks.length === 0) {
    await showDialog({
      title: trans.__('No tutorials'),
      body: tree.problem ?? trans.__('There are none here.'),
      buttons: [Dialog.okButton()]
    });
    return null;
  }
  const result = await InputDialog.getItem({
    title: trans.__('Open a tutorial'),
    items: notebooks.map(({ title }) => title)
  });
  const chosen = notebooks.find(({ title }) => title === result.value);
  return result.button.accept ? (chosen?.path ?? null) : null;
}

async function wantsCards(registry: ISettingRegistry | null): Promise<boolean> {
  if (registry === null) {
    return true;
  }
  const settings = await registry.load(PLUGIN_ID);
  return settings.get('launcher').composite !== false;
}

function addCards(
  launcher: ILauncher,
  tree: ITutorialTree,
  category: string
): DisposableSet {
  const cards = new DisposableSet();
  const top = tree.entries.filter(entry => entry.kind === 'notebook');
  top.slice(0, MOST_CARDS).forEach(({ path, title }, rank) => {
    cards.add(
      launcher.add({
        command: CommandIDs.openTutorial,
        args: { path, title },
        category,
        rank
      })
    );
  });
  return cards;
}

/** The Tutorials menu, and cards in the launcher. */
export const tutorialsPlugin: JupyterFrontEndPlugin<void> = {
  id: PLUGIN_ID,
  description: 'Copies tutorials to the home and opens them.',
  autoStart: true,
  requires: [IDocumentManager],
  optional: [
    IMainMenu,
    ICommandPalette,
    ILauncher,
    ISettingRegistry,
    ITranslator
  ],
  activate: (
    app: JupyterFrontEnd,
    manager: IDocumentManager,
    mainMenu: IMainMenu | null,
    palette: ICommandPalette | null,
    launcher: ILauncher | null,
    registry: ISettingRegistry | null,
    translator: ITranslator | null
  ): void => {
    const trans = (translator ?? nullTranslator).load('despejado_lab');
    const { commands, serviceManager } = app;
    const opener = new TutorialOpener(
      manager,
      serviceManager.serverSettings,
      trans
    );
    const menu = createMenu(commands, trans.__('Tutorials'));
    menu.id = 'jp-mainmenu-despejado-tutorials';
    let tree: ITutorialTree = NOT_YET;
    let cards = new DisposableSet();

    const load = async (): Promise<void> => {
      tree = await loadTree(app);
      fillMenu(menu, tree, commands);
      cards.dispose();
      if (launcher !== null && (await wantsCards(registry))) {
        cards = addCards(launcher, tree, trans.__('Tutorials'));
      }
    };
    // One after the other; not awaited, because JupyterLab waits for every plugin.
    let loaded = load();
    const refresh = (): Promise<void> => {
      loaded = loaded.then(load);
      return loaded;
    };

    commands.addCommand(CommandIDs.openTutorial, {
      label: args =>
        typeof args.title === 'string'
          ? args.title
          : trans.__('Open a Tutorial…'),
      caption: trans.__('Copy a tutorial to your home and open it'),
      icon: args => (typeof args.cwd === 'string' ? markIcon : undefined),
      describedBy: OPEN_ARGUMENTS,
      execute: async args => {
        await loaded;
        const path =
          typeof args.path === 'string' ? args.path : await choose(tree, trans);
        if (path !== null) {
          await opener.open(path);
        }
      }
    });
    commands.addCommand(CommandIDs.refreshTutorials, {
      label: args =>
        typeof args.problem === 'string'
          ? trans.__('%1 Look again', args.problem)
          : trans.__('Refresh the List of Tutorials'),
      describedBy: REFRESH_ARGUMENTS,
      execute: refresh
    });
    for (const command of [
      CommandIDs.openTutorial,
      CommandIDs.refreshTutorials
    ]) {
      palette?.addItem({ command, category: trans.__('Tutorials') });
    }
    // The menu bar greys out a menu that is empty when it is added, and leaves it so.
    fillMenu(menu, tree, commands);
    mainMenu?.addMenu(menu, true, { rank: MENU_RANK });
  }
};
