import React from 'react';

import { Dialog, Notification, showDialog } from '@jupyterlab/apputils';
import type { IDocumentManager } from '@jupyterlab/docmanager';
import type { ServerConnection } from '@jupyterlab/services';
import type { TranslationBundle } from '@jupyterlab/translation';

import { isObject } from '../labConfig';
import { Message } from '../message';
import { RequestError, requestLab } from '../request';

const MINE = 'mine';
const FRESH = 'fresh';

interface ICopied {
  path: string;
  backup: string | null;
}

/** Copies a tutorial to the home and opens the copy; asks if there is one already. */
export class TutorialOpener {
  constructor(
    private readonly _manager: IDocumentManager,
    private readonly _settings: ServerConnection.ISettings,
    private readonly _trans: TranslationBundle
  ) {}

  /** Tells the user about every problem; nothing is replaced without a yes. */
  async open(path: string): Promise<void> {
    try {
      await this._open(path);
    } catch (error) {
      if (!(error instanceof RequestError)) {
        throw error;
      }
      await this._tell(error.message);
    }
  }

  private async _open(path: string): Promise<void> {
    let existing: string;
    try {
      const copied = await this._copy(path, false);
      await this._show(copied.path);
      return;
    } catch (error) {
      if (!(error instanceof RequestError) || error.reason !== 'exists') {
        throw error;
      }
      existing = String(error.details.path);
    }
    const choice = await this._ask(existing);
    if (choice === MINE) {
      await this._show(existing);
    } else if (choice === FRESH) {
      await this._replace(path, existing);
    }
  }

  private async _show(path: string): Promise<void> {
    // A notebook that is opened before the kernels are known asks which one to start, though there is only one.
    await this._manager.services.ready;
    this._manager.openOrReveal(path);
  }

  private async _replace(path: string, existing: string): Promise<void> {
    const widget = this._manager.findWidget(existing);
    if (widget?.context.model.dirty) {
      // The backup shall hold what the user sees, not what was saved last.
      try {
        await widget.context.save();
      } catch {
        // JupyterLab has told why.
        return;
      }
    }
    const copied = await this._copy(path, true);
    // What is on screen is the old content: read the file again.
    await widget?.context.revert();
    await this._show(copied.path);
    if (copied.backup !== null) {
      Notification.info(
        this._trans.__('Your version is kept as %1', copied.backup),
        { autoClose: 10000 }
      );
    }
  }

  private async _copy(path: string, overwrite: boolean): Promise<ICopied> {
    const answer = await requestLab(this._settings, 'tutorials/copy', {
      path,
      overwrite
    });
    const reply = isObject(answer) ? answer : {};
    const { path: copy, backup } = reply;
    if (typeof copy !== 'string') {
      throw new RequestError(
        this._trans.__('The lab did not say where the copy is.'),
        200,
        'bad-answer',
        {}
      );
    }
    return { path: copy, backup: typeof backup === 'string' ? backup : null };
  }

  private async _ask(existing: string): Promise<string | null> {
    const trans = this._trans;
    const result = await showDialog({
      title: trans.__('You already have this tutorial'),
      body: React.createElement(Message, {
        lead: trans.__(
          '%1 is in your home. Open it as you left it, or start again with a fresh one? Yours is then kept under a numbered name.',
          existing
        )
      }),
      buttons: [
        Dialog.cancelButton(),
        Dialog.cancelButton({
          label: trans.__('Replace With a Fresh One'),
          actions: [FRESH]
        }),
        Dialog.okButton({ label: trans.__('Open Mine'), actions: [MINE] })
      ],
      defaultButton: 2
    });
    return result.button.actions[0] ?? null;
  }

  private async _tell(message: string): Promise<void> {
    await showDialog({
      title: this._trans.__('The tutorial was not copied'),
      body: React.createElement(Message, { lead: message }),
      buttons: [Dialog.okButton()]
    });
  }
}
