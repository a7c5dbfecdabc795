import React from 'react';

import type { JupyterFrontEnd } from '@jupyterlab/application';
import {
  Dialog,
  InputDialog,
  Notification,
  showDialog
} from '@jupyterlab/apputils';
import type { IDocumentManager } from '@jupyterlab/docmanager';
import type { DocumentRegistry } from '@jupyterlab/docregistry';
import type { TranslationBundle } from '@jupyterlab/translation';

import { biggerSizes } from '../format';
import { Message } from '../message';
import { RequestError, requestLab } from '../request';
import type { ILabInfo } from '../tokens';
import { changedDocuments, saveDocuments } from './documents';
import type { ISaveFailure } from './documents';
import { spawnLink } from './spawnLink';

const GONE_POLL = 250;
const GONE_DEADLINE = 60_000;

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
    const hub = this._info.hub;
    if (hub !== null && (await this._save()) && (await this._stop())) {
      leaveFor(logOut ? hub.logoutUrl : hub.homeUrl);
    }
  }

  /** Ask for a bigger size, save everything, stop the lab, and start it again in that size. */
  async startBigger(): Promise<void> {
    const config = await this._info.ready;
    const spawnUrl = this._info.hub?.spawnUrl ?? null;
    const sizes = biggerSizes(config.size);
    if (spawnUrl === null || sizes.size === 0) {
      return;
    }
    const size = await this._chooseSize(sizes);
    if (size === null || !(await this._save()) || !(await this._stop())) {
      return;
    }
    // The hub sends whoever asks for a start to the old lab as long as that is there.
    await this._gone();
    leaveFor(spawnLink(spawnUrl, config.image.tag, size));
  }

  private async _chooseSize(
    sizes: ReadonlyMap<string, string>
  ): Promise<string | null> {
    const trans = this._trans;
    const result = await InputDialog.getItem({
      title: trans.__('Start a bigger lab'),
      label: trans.__(
        'All documents are saved and the lab is stopped; what kernels hold in memory is lost. New size:'
      ),
      items: [...sizes.keys()],
      okLabel: trans.__('Save All and Start')
    });
    return result.button.accept && result.value !== null
      ? (sizes.get(result.value) ?? null)
      : null;
  }

  /** Whether everything is saved; if not, says what is not. */
  private async _save(): Promise<boolean> {
    const failures = await saveDocuments(
      this._changed(),
      this._trans.__('it is read-only: save a copy under another name')
    );
    if (failures.length > 0) {
      await this._tellFailures(failures);
    }
    return failures.length === 0;
  }

  /** Stop the lab; asks before changes are lost, if `confirm` is set. */
  async exitWithoutSaving(confirm: boolean): Promise<void> {
    const changed = this._changed();
    if (confirm && changed.length > 0 && !(await this._mayDiscard(changed))) {
      return;
    }
    const hub = this._info.hub;
    if (hub !== null && (await this._stop())) {
      leaveFor(hub.homeUrl);
    }
  }

  private _changed(): DocumentRegistry.Context[] {
    return this._manager === null
      ? []
      : changedDocuments(this._app.shell, this._manager);
  }

  /** Whether the hub stops the lab now; if not, says why. */
  private async _stop(): Promise<boolean> {
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
      return false;
    }
    return true;
  }

  /** Resolves when the lab answers no more, or after a minute in any case. */
  private async _gone(): Promise<void> {
    const settings = this._app.serviceManager.serverSettings;
    const deadline = Date.now() + GONE_DEADLINE;
    while (Date.now() < deadline) {
      try {
        await requestLab(settings, 'memory');
      } catch (error) {
        if (error instanceof RequestError) {
          return;
        }
        throw error;
      }
      await new Promise(resolve => setTimeout(resolve, GONE_POLL));
    }
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
