import React from 'react';

import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { Clipboard, Dialog, showDialog } from '@jupyterlab/apputils';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import type { TranslationBundle } from '@jupyterlab/translation';

import { CommandIDs } from '../commands';
import type { IAbnormalStartup } from '../labConfig';
import { Message } from '../message';
import { ILabInfo } from '../tokens';

const COPY = 'copy';
const EXIT = 'exit';

async function tell(
  app: JupyterFrontEnd,
  startup: IAbnormalStartup,
  trans: TranslationBundle
): Promise<void> {
  const buttons = [
    Dialog.cancelButton({ label: trans.__('Copy Details'), actions: [COPY] }),
    Dialog.okButton({ label: trans.__('Continue') })
  ];
  if (app.commands.isVisible(CommandIDs.exitWithoutSaving)) {
    buttons.splice(
      1,
      0,
      Dialog.cancelButton({ label: trans.__('Exit'), actions: [EXIT] })
    );
  }
  const result = await showDialog({
    title: startup.title,
    body: React.createElement(Message, {
      lead: trans.__(
        'The lab started with a temporary home folder. What you can do:'
      ),
      items: startup.advice,
      details: startup.details
    }),
    buttons,
    defaultButton: buttons.length - 1
  });
  const { actions } = result.button;
  if (actions.includes(COPY)) {
    Clipboard.copyToSystem(`${startup.title}\n${startup.details}\n`);
    await tell(app, startup, trans);
  } else if (actions.includes(EXIT)) {
    await app.commands.execute(CommandIDs.exitWithoutSaving);
  }
}

/** After a start that went wrong: what happened and what to do. */
export const startupPlugin: JupyterFrontEndPlugin<void> = {
  id: 'despejado-lab:startup',
  description: 'Explains a start that went wrong.',
  autoStart: true,
  requires: [ILabInfo],
  optional: [ITranslator],
  activate: (
    app: JupyterFrontEnd,
    info: ILabInfo,
    translator: ITranslator | null
  ): void => {
    const trans = (translator ?? nullTranslator).load('despejado_lab');
    void Promise.all([info.ready, app.restored]).then(async ([config]) => {
      if (config.startup !== null) {
        await tell(app, config.startup, trans);
      }
    });
  }
};
