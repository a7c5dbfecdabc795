import React from 'react';

import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import {
  Clipboard,
  Dialog,
  ICommandPalette,
  Notification,
  showDialog
} from '@jupyterlab/apputils';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { IStatusBar } from '@jupyterlab/statusbar';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import type { TranslationBundle } from '@jupyterlab/translation';

import { CommandIDs, NO_ARGUMENTS } from '../commands';
import { badgeLabel, detailsText, sizeLimits } from '../format';
import type { ILabConfig } from '../labConfig';
import { ILabInfo } from '../tokens';
import { Details } from './details';
import { Badge } from './widget';

const PLUGIN_ID = 'despejado-lab:badge';
const COPY = 'copy';

async function showDetails(
  config: ILabConfig,
  trans: TranslationBundle
): Promise<void> {
  const result = await showDialog({
    title: trans.__('Environment of this lab'),
    body: React.createElement(Details, {
      config,
      packagesTitle: trans.__('Packages')
    }),
    buttons: [
      Dialog.cancelButton({ label: trans.__('Copy Details'), actions: [COPY] }),
      Dialog.okButton({ label: trans.__('Close') })
    ],
    defaultButton: 1
  });
  if (result.button.actions.includes(COPY)) {
    Clipboard.copyToSystem(detailsText(config));
    Notification.success(trans.__('Details copied'), { autoClose: 3000 });
  }
}

function hint(config: ILabConfig, trans: TranslationBundle): string {
  const lines = [
    config.image.tag,
    sizeLimits(config.size),
    config.problem,
    trans.__('Click for details')
  ];
  return lines.filter(line => line !== null).join('\n');
}

async function watchShowSize(
  registry: ISettingRegistry | null,
  onChange: (showSize: boolean) => void
): Promise<void> {
  if (registry === null) {
    onChange(true);
    return;
  }
  const settings = await registry.load(PLUGIN_ID);
  const tell = (): void => {
    onChange(settings.get('showSize').composite !== false);
  };
  settings.changed.connect(tell);
  tell();
}

/** The status-bar badge and the dialog behind it. */
export const badgePlugin: JupyterFrontEndPlugin<void> = {
  id: PLUGIN_ID,
  description: 'Shows environment and size in the status bar.',
  autoStart: true,
  requires: [ILabInfo],
  optional: [IStatusBar, ICommandPalette, ISettingRegistry, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    info: ILabInfo,
    statusBar: IStatusBar | null,
    palette: ICommandPalette | null,
    registry: ISettingRegistry | null,
    translator: ITranslator | null
  ): void => {
    const trans = (translator ?? nullTranslator).load('despejado_lab');
    app.commands.addCommand(CommandIDs.showDetails, {
      label: trans.__('Show Environment of This Lab'),
      caption: trans.__('Software, size and user of this lab, to copy'),
      describedBy: NO_ARGUMENTS,
      execute: async () => {
        await showDetails(await info.ready, trans);
      }
    });
    palette?.addItem({
      command: CommandIDs.showDetails,
      category: trans.__('Lab')
    });
    if (statusBar === null) {
      return;
    }
    const badge = new Badge(() => {
      void app.commands.execute(CommandIDs.showDetails);
    });
    statusBar.registerStatusItem(PLUGIN_ID, {
      item: badge,
      align: 'left',
      rank: 80,
      priority: 1
    });
    // Not awaited: JupyterLab shows itself only when all plugins are active.
    void info.ready.then(config =>
      watchShowSize(registry, showSize => {
        const label = badgeLabel(config, showSize);
        const abnormal = config.startup !== null;
        badge.setText(
          abnormal ? trans.__('%1 · started with a problem', label) : label,
          hint(config, trans),
          abnormal
        );
      })
    );
  }
};
