import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { PageConfig } from '@jupyterlab/coreutils';
import type { ServerConnection } from '@jupyterlab/services';

import { parseLabConfig } from './labConfig';
import type { IHubPages, ILabConfig } from './labConfig';
import { RequestError, requestLab } from './request';
import { ILabInfo } from './tokens';

/** The hub as JupyterHub itself tells the page, for when our server side does not answer. */
function hubOfPage(): IHubPages | null {
  const prefix = PageConfig.getOption('hubPrefix');
  if (!prefix) {
    return null;
  }
  const base = `${PageConfig.getOption('hubHost')}${prefix.replace(/\/+$/, '')}`;
  return {
    homeUrl: `${base}/home`,
    logoutUrl: `${base}/logout`,
    spawnUrl: null
  };
}

/** Asks the server once. */
class LabInfo implements ILabInfo {
  constructor(settings: ServerConnection.ISettings) {
    this.ready = this._load(settings);
  }

  readonly ready: Promise<ILabConfig>;

  get config(): ILabConfig | null {
    return this._config;
  }

  get hub(): IHubPages | null {
    return this._config?.hub ?? hubOfPage();
  }

  private async _load(
    settings: ServerConnection.ISettings
  ): Promise<ILabConfig> {
    let answer: unknown = null;
    try {
      answer = await requestLab(settings, 'config');
    } catch (error) {
      if (!(error instanceof RequestError)) {
        throw error;
      }
      answer = {
        problem: `The environment of this lab is not known: ${error.message}`
      };
    }
    this._config = parseLabConfig(answer);
    return this._config;
  }

  private _config: ILabConfig | null = null;
}

/** Provides what is known of this lab to the other plugins. */
export const infoPlugin: JupyterFrontEndPlugin<ILabInfo> = {
  id: 'despejado-lab:info',
  description: 'Environment, size, user and hub of this lab.',
  autoStart: true,
  provides: ILabInfo,
  activate: (app: JupyterFrontEnd): ILabInfo =>
    new LabInfo(app.serviceManager.serverSettings)
};
