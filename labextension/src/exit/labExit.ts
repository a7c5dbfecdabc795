import React from 'react';

import type { JupyterFrontEnd } from '@jupyterlab/application';
import { Dialog, Notification, showDialog } from '@jupyterlab/apputils';
import type { IDocumentManager } from '@jupyterlab/docmanager';
import type { DocumentRegistry } from '@jupyterlab/docregistry';
import type { TranslationBundle } from '@jupyterlab/translation';

import { Message } from '../message';
import { RequestError, requestLab } from '../request';
import type { ILabInfo } from '../tokens';
import { changedDocuments, saveDocuments } from './documents';
import type { ISaveFailure } from './documents';

/** Leave the page without the browser's question about unsaved changes: ours was answered. */
function leaveFor(url: string): void {
  window.addEventListener(
    'beforeunload',
    event => {
      event.stopImmediatePropagation();
    },
    { capture: true }
  );
  window.location.assign(url);
}

export interface ILabExitOptions {
  app: JupyterFrontEnd;
  info: ILabInfo;
  /** Without one there are no documents to save. */
  manager: IDocumentManager | null;
  trans: TranslationBundle;
}

/** Saves, stops the lab through the server side, and goes to a page of the hub. */
export class LabExit {
  constructor(options: ILabExitOptions) {
    this._app = options.app;
    this._info = options.info;
    this._manager = options.manager;
    this._trans = options.trans;
  }

  /** Save everything, stop the lab, go to the hub's home or log out. A failed save stops it all. */
  async saveAndExit(logOut: boolean): Promise<void> {
    const failures = await saveDocuments(
      this._changed(),
      this._trans.__('it is read-only: save a copy under another name')
    );
    if (failures.length > 0) {
      await this._tellFailures(failures);
      return;
    }
    await this._stop(logOut);
  }

  /** Stop the lab; asks before changes are lost, if `confirm` is set. */
  async exitWithoutSaving(confirm: boolean): Promise<void> {
    const changed = this._changed();
    if (confirm && changed.length > 0 && !(await this._mayDiscard(changed))) {
      return;
    }
    await this._stop(false);
  }

  private _changed(): DocumentRegistry.Context[] {
    return this._manager === null
      ? []
      : changedDocuments(this._app.shell, this._manager);
  }

  private async _stop(logOut: boolean): Promise<void> {
    const hub = this._info.hub;
    if (hub === null) {
      return;
    }
    const note = Notification.emit(
      this._trans.__('Stopping the lab…'),
      'in-progress',
      { autoClose: false }
    );
    try {
      await requestLab(this._app.serviceManager.serverSettings, 'exit', {});
    } catch (error) {
      Notification.dismiss(note);
      if (!(error instanceof RequestError)) {
        throw error;
      }
      await this._tellError(error);
      return;
    }
    leaveFor(logOut ? hub.logoutUrl : hub.homeUrl);
  }

  private async _tellFailures(failures: ISaveFailure[]): Promise<void> {
    const trans = this._trans;
    await showDialog({
      title: trans.__('Not everything was saved, so the lab goes on'),
      body: React.createElement(Message, {
        lead: trans._n(
          'This document could not be saved:',
          'These documents could not be saved:',
          failures.length
        ),
        items: failures.map(({ path, reason }) => `${path}: ${reason}`),
        end: trans.__(
          'Save under another name or in another place, or choose "Exit Without Saving" to lose the changes.'
        )
      }),
      buttons: [Dialog.okButton({ label: trans.__('Back to the Lab') })]
    });
  }

  private async _tellError(error: RequestError): Promise<void> {
    const trans = this._trans;
    await showDialog({
      title: trans.__('The lab could not be stopped'),
      body: React.createElement(Message, { lead: error.message }),
      buttons: [Dialog.okButton({ label: trans.__('Back to the Lab') })]
    });
  }

  private async _mayDiscard(
    changed: DocumentRegistry.Context[]
  ): Promise<boolean> {
    const trans = this._trans;
    const result = await showDialog({
      title: trans.__('Exit without saving?'),
      body: React.createElement(Message, {
        lead: trans._n(
          'The changes in this document will be lost:',
          'The changes in these documents will be lost:',
          changed.length
        ),
        items: changed.map(context => context.path)
      }),
      buttons: [
        Dialog.cancelButton(),
        Dialog.warnButton({ label: trans.__('Exit Without Saving') })
      ],
      defaultButton: 0
    });
    return result.button.accept;
  }

  private readonly _app: JupyterFrontEnd;
  private readonly _info: ILabInfo;
  private readonly _manager: IDocumentManager | null;
  private readonly _trans: TranslationBundle;
}
