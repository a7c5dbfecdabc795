import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { IStatusBar } from '@jupyterlab/statusbar';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import type { TranslationBundle } from '@jupyterlab/translation';

import { CommandIDs } from '../commands';
import { formatBytes, formatShare } from '../format';
import { Meter } from './meter';
import { NEARLY, ShownStops, isMeasured, shortName } from './state';
import type { IMemory, IStop } from './state';
import { MemoryWatch } from './watch';

const PLUGIN_ID = 'despejado-lab:memory';

function message(stop: IStop, trans: TranslationBundle): string {
  const who =
    stop.document !== null
      ? trans.__('The kernel of %1', shortName(stop.document))
      : stop.kernel !== null
        ? trans.__('A kernel')
        : trans.__('A program of this lab');
  return stop.limit === null
    ? trans.__('%1 was stopped: the machine ran out of memory.', who)
    : trans.__(
        "%1 was stopped: the lab's memory limit of %2 was reached.",
        who,
        formatBytes(stop.limit)
      );
}

function tell(
  app: JupyterFrontEnd,
  stop: IStop,
  trans: TranslationBundle
): void {
  const actions: Notification.IAction[] = [];
  if (stop.limit !== null && app.commands.isVisible(CommandIDs.startBigger)) {
    actions.push({
      label: trans.__('Start a Bigger Lab…'),
      caption: trans.__('Save all documents, stop the lab, start a bigger one'),
      displayType: 'accent',
      callback: () => {
        void app.commands.execute(CommandIDs.startBigger);
      }
    });
  }
  actions.push({ label: trans.__('Dismiss'), callback: () => undefined });
  Notification.emit(message(stop, trans), 'warning', {
    autoClose: false,
    actions
  });
}

function show(meter: Meter, memory: IMemory, trans: TranslationBundle): void {
  if (!isMeasured(memory)) {
    meter.clear();
    return;
  }
  const { used, limit } = memory;
  meter.setText(
    trans.__('Memory %1', formatShare(used, limit)),
    trans.__(
      'This lab uses %1 of %2. Kernels are stopped when there is no more.',
      formatBytes(used),
      formatBytes(limit)
    ),
    used >= NEARLY * limit ? trans.__(' · nearly full') : ''
  );
}

/** The meter in the status bar, and what is said when memory ended a kernel. */
export const memoryPlugin: JupyterFrontEndPlugin<void> = {
  id: PLUGIN_ID,
  description: 'Shows memory, and tells when it ended a kernel.',
  autoStart: true,
  optional: [IStatusBar, ISettingRegistry, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    statusBar: IStatusBar | null,
    registry: ISettingRegistry | null,
    translator: ITranslator | null
  ): void => {
    const trans = (translator ?? nullTranslator).load('despejado_lab');
    const meter = new Meter();
    statusBar?.registerStatusItem(PLUGIN_ID, {
      item: meter,
      align: 'right',
      rank: 40,
      isActive: () => meter.isActive,
      activeStateChanged: meter.activeChanged
    });
    const shown = new ShownStops(window.localStorage);
    // Not before the page is there: the first answer is nothing that anybody waits for.
    void app.restored.then(() => {
      new MemoryWatch(app.serviceManager).answered.connect((_, memory) => {
        show(meter, memory, trans);
        for (const stop of shown.take(memory.stops)) {
          tell(app, stop, trans);
        }
      });
    });
    void registry?.load(PLUGIN_ID).then(settings => {
      const take = (): void => {
        meter.setWanted(settings.get('showMemory').composite !== false);
      };
      settings.changed.connect(take);
      take();
    });
  }
};
