import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { IDocumentManager } from '@jupyterlab/docmanager';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { CommandIDs, NO_ARGUMENTS } from '../commands';
import { ILabInfo } from '../tokens';
import { LabExit } from './labExit';

const PLUGIN_ID = 'despejado-lab:exit';

async function asksBeforeLoss(
  registry: ISettingRegistry | null
): Promise<boolean> {
  if (registry === null) {
    return true;
  }
  const settings = await registry.load(PLUGIN_ID);
  return settings.get('confirmDiscard').composite !== false;
}

/** The exits of the File menu (their places are in the settings schema). */
export const exitPlugin: JupyterFrontEndPlugin<void> = {
  id: PLUGIN_ID,
  description: 'Saves and stops the lab through the hub.',
  autoStart: true,
  requires: [ILabInfo],
  optional: [IDocumentManager, ICommandPalette, ISettingRegistry, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    info: ILabInfo,
    manager: IDocumentManager | null,
    palette: ICommandPalette | null,
    registry: ISettingRegistry | null,
    translator: ITranslator | null
  ): void => {
    const trans = (translator ?? nullTranslator).load('despejado_lab');
    const exit = new LabExit({ app, info, manager, trans });
    // Without a hub there is nothing to exit to; JupyterLab has its own "Shut Down".
    const isVisible = (): boolean => info.hub !== null;

    app.commands.addCommand(CommandIDs.saveAndExit, {
      label: trans.__('Save All and Exit'),
      caption: trans.__('Save all documents, stop the lab, go to the hub'),
      describedBy: NO_ARGUMENTS,
      isVisible,
      isEnabled: isVisible,
      execute: () => exit.saveAndExit(false)
    });
    app.commands.addCommand(CommandIDs.saveExitAndLogOut, {
      label: trans.__('Save All, Exit and Log Out'),
      caption: trans.__('Save all documents, stop the lab, log out'),
      describedBy: NO_ARGUMENTS,
      isVisible,
      isEnabled: isVisible,
      execute: () => exit.saveAndExit(true)
    });
    app.commands.addCommand(CommandIDs.exitWithoutSaving, {
      label: trans.__('Exit Without Saving'),
      caption: trans.__('Stop the lab and lose changes that are not saved'),
      describedBy: NO_ARGUMENTS,
      isVisible,
      isEnabled: isVisible,
      execute: async () => {
        await exit.exitWithoutSaving(await asksBeforeLoss(registry));
      }
    });
    const mayGrow = (): boolean =>
      (info.hub?.spawnUrl ?? null) !== null &&
      (info.config?.size.bigger.length ?? 0) > 0;
    app.commands.addCommand(CommandIDs.startBigger, {
      label: trans.__('Start a Bigger Lab…'),
      caption: trans.__('Save all documents, stop the lab, start a bigger one'),
      describedBy: NO_ARGUMENTS,
      isVisible: mayGrow,
      isEnabled: mayGrow,
      execute: () => exit.startBigger()
    });
    for (const command of [
      CommandIDs.startBigger,
      CommandIDs.saveAndExit,
      CommandIDs.saveExitAndLogOut,
      CommandIDs.exitWithoutSaving
    ]) {
      palette?.addItem({ command, category: trans.__('Lab') });
    }
    void info.ready.then(() => {
      app.commands.notifyCommandChanged(CommandIDs.startBigger);
      app.commands.notifyCommandChanged(CommandIDs.saveAndExit);
      app.commands.notifyCommandChanged(CommandIDs.saveExitAndLogOut);
      app.commands.notifyCommandChanged(CommandIDs.exitWithoutSaving);
    });
  }
};
