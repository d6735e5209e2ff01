// Heights: how high the lines are, as measured or guessed.

/** From so many on their mean is a better guess than one row. */
const MIN_MEASURED = 20;

export class Heights {
  isWrapped = false;
  rowPx = 20;
  #sum = 0;
  #nMeasured = 0;

  /** @param {LineStore} store */
  constructor(store) {
    this.store = store;
  }

  /** All are to be measured again. @param {HTMLElement} scroller */
  forget(scroller) {
    for (const line of this.store.lines) line.height = 0;
    this.#sum = this.#nMeasured = 0;
    this.rowPx = parseFloat(getComputedStyle(scroller).getPropertyValue("--high")) || this.rowPx;
  }

  /** @param {Line} line */
  of(line) {
    if (line.isHidden) return 0;
    const isGuessed = this.isWrapped && this.#nMeasured > MIN_MEASURED;
    return line.height || (isGuessed ? this.#sum / this.#nMeasured : this.rowPx);
  }

  /** From one index up to another. @param {number} from @param {number} to */
  span(from, to) {
    let sum = 0;
    for (let i = from; i < to; i++) sum += this.of(this.store.lines[i]);
    return sum;
  }

  /**
   * Measures what may not be one row high.
   * @param {Map<Line, HTMLElement>} rows
   * @returns {boolean} whether something was
   */
  measure(rows) {
    const before = this.#nMeasured;
    for (const [line, row] of rows) {
      if (line.height || !(this.isWrapped || line.isOpen || line.note !== undefined)) continue;
      line.height = row.getBoundingClientRect().height || this.rowPx;
      this.#sum += line.height;
      this.#nMeasured++;
    }
    return this.#nMeasured > before;
  }
}
