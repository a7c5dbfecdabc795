import { Widget } from '@lumino/widgets';

import { markIcon } from '../icons';

/** A button in the status bar: the mark and a few words. */
export class Badge extends Widget {
  constructor(onClick: () => void) {
    super();
    this.addClass('dpj-Badge');
    this._button = document.createElement('button');
    this._button.type = 'button';
    this._button.className = 'dpj-Badge-button';
    this._button.addEventListener('click', onClick);
    markIcon.element({ container: this._icon });
    this._icon.setAttribute('aria-hidden', 'true');
    this._button.append(this._icon, this._words);
    this.node.append(this._button);
  }

  /**
   * @param label - what is written on it
   * @param hint - the tooltip, also read by screen readers after the label
   * @param problem - whether to draw attention; the label says why in words
   */
  setText(label: string, hint: string, problem: boolean): void {
    this._words.textContent = label;
    this._button.title = hint;
    this._button.classList.toggle('dpj-mod-problem', problem);
  }

  private readonly _button: HTMLButtonElement;
  private readonly _icon = document.createElement('span');
  private readonly _words = document.createElement('span');
}
