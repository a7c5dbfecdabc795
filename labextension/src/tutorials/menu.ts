import { MenuSvg } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';
import type { ElementARIAAttrs } from '@lumino/virtualdom';
import type { Menu } from '@lumino/widgets';

import { CommandIDs } from '../commands';
import type { ITutorialTree, TutorialEntry } from './tree';

/** Lumino gives a line that opens a submenu no role: screen readers would not say what it is. */
class Renderer extends MenuSvg.Renderer {
  override createItemARIA(data: Menu.IRenderData): ElementARIAAttrs {
    const attributes = super.createItemARIA(data);
    return data.item.type === 'submenu'
      ? { ...attributes, role: 'menuitem' }
      : attributes;
  }
}

const RENDERER = new Renderer();

/** An empty menu of tutorials. */
export function createMenu(commands: CommandRegistry, label: string): Menu {
  const menu = new MenuSvg({ commands, renderer: RENDERER });
  menu.title.label = label;
  return menu;
}

function addEntries(
  menu: Menu,
  entries: readonly TutorialEntry[],
  commands: CommandRegistry
): void {
  for (const entry of entries) {
    if (entry.kind === 'folder') {
      const submenu = createMenu(commands, entry.title);
      addEntries(submenu, entry.entries, commands);
      menu.addItem({ type: 'submenu', submenu });
    } else {
      menu.addItem({
        command: CommandIDs.openTutorial,
        args: { path: entry.path, title: entry.title }
      });
    }
  }
}

/** Write the tree into the menu, in place of what it held. */
export function fillMenu(
  menu: Menu,
  tree: ITutorialTree,
  commands: CommandRegistry
): void {
  const submenus = menu.items.map(item => item.submenu);
  menu.clearItems();
  for (const submenu of submenus) {
    submenu?.dispose();
  }
  addEntries(menu, tree.entries, commands);
  if (tree.entries.length > 0) {
    menu.addItem({ type: 'separator' });
  }
  // Where there are none, this line says why and is the way to look again.
  menu.addItem({
    command: CommandIDs.refreshTutorials,
    args: tree.problem === null ? {} : { problem: tree.problem }
  });
}
