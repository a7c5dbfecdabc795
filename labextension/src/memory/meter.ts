import { Signal } from '@lumino/signaling';
import type { ISignal } from '@lumino/signaling';
import { Widget } from '@lumino/widgets';

/** Memory in the status bar: an amount, and a word when it is nearly full. */
export class Meter extends Widget {
  constructor() {
    super();
    this.addClass('dpj-Meter');
    // Told aloud once, not with every change of the amount.
    this._warning.setAttribute('aria-live', 'polite');
    this.node.append(this._amount, this._warning);
  }

  /** Whether there is something to show, and somebody wants to see it. */
  get isActive(): boolean {
    return this._isWanted && this._amount.textContent !== '';
  }

  /** Emitted when `isActive` may have changed. */
  get activeChanged(): ISignal<this, void> {
    return this._activeChanged;
  }

  /** Show it or not, whatever there is. */
  setWanted(isWanted: boolean): void {
    this._isWanted = isWanted;
    this._activeChanged.emit();
  }

  /** There is nothing to show. */
  clear(): void {
    this.setText('', '', '');
  }

  /**
   * @param amount - what is used of what
   * @param hint - the tooltip
   * @param warning - a word that draws attention, empty for none
   */
  setText(amount: string, hint: string, warning: string): void {
    this._amount.textContent = amount;
    if (this._warning.textContent !== warning) {
      this._warning.textContent = warning;
    }
    this.node.title = hint;
    this.node.classList.toggle('dpj-mod-problem', warning !== '');
    this._activeChanged.emit();
  }

  private _isWanted = true;
  private readonly _activeChanged = new Signal<this, void>(this);
  private readonly _amount = document.createElement('span');
  private readonly _warning = document.createElement('span');
}
