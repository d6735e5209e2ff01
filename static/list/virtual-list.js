// @ts-check
// Virtual list: of any number of lines only those near the eye are elements. What is above and below has
// a height, measured or guessed; when a guess turns out wrong, the line at the top of the view stays
// where it is.

/** @import { Line } from "../model/line.js" */
/** @import { LineStore } from "../model/line-store.js" */

const MAX_ROWS = 400;
const OVERSCAN_PX = 600;
/** While lines rush by nobody scrolls. */
const FOLLOWING_OVERSCAN_PX = 100;
/** Above the first line: where it begins, or a way to what is before. */
export const HEAD_PX = 36;
const FOOT_PX = 8;

export class VirtualList {
  isWrapped = false;
  rowPx = 20;
  /** @type {Map<Line, HTMLElement>} */ #rows = new Map();
  /** @type {{ line: Line, offset: number } | null} the first line in view, and where */ #anchor = null;
  /** The line whose top is at the head's end, as laid out last. */ #baseId = 0;
  #measured = { sum: 0, n: 0 };
  #height = 0;
  #width = 0;
  #setScrollTop = 0;
  #isFollowing = false;

  /**
   * @param {HTMLElement} scroller @param {HTMLElement} sizer @param {HTMLElement} box holds the rows
   * @param {LineStore} store @param {(line: Line) => HTMLElement} build
   */
  constructor(scroller, sizer, box, store, build) {
    this.scroller = scroller;
    this.sizer = sizer;
    this.box = box;
    this.store = store;
    this.build = build;
  }

  /** The view has another size. @returns {boolean} whether it has */
  resize() {
    const { clientHeight, clientWidth } = this.scroller;
    const isOther = clientHeight !== this.#height || clientWidth !== this.#width;
    if (clientWidth !== this.#width && this.isWrapped) this.forgetHeights();
    this.#height = clientHeight;
    this.#width = clientWidth;
    return isOther;
  }

  forgetHeights() {
    for (const line of this.store.lines) line.height = 0;
    this.#measured = { sum: 0, n: 0 };
  }

  /** All rows are to be built again. */
  forgetRows() {
    for (const row of this.#rows.values()) row.remove();
    this.#rows.clear();
  }

  /** @param {Line} line */
  rowOf(line) {
    return this.#rows.get(line) ?? null;
  }

  get nRows() {
    return this.#rows.size;
  }

  get pageLines() {
    return Math.max(1, Math.floor(this.#height / this.rowPx) - 1);
  }

  /** @param {Line} line */
  #heightOf(line) {
    if (line.isHidden) return 0;
    if (line.height) return line.height;
    const { sum, n } = this.#measured;
    return this.isWrapped && n > 20 ? sum / n : this.rowPx;
  }

  /** The sum of heights of lines from one index up to another. @param {number} from @param {number} to */
  #span(from, to) {
    const { lines } = this.store;
    let sum = 0;
    for (let i = from; i < to; i++) sum += this.#heightOf(lines[i]);
    return sum;
  }

  /** The user has scrolled: which line is at the top now? @returns {number} how far it went, 0 if it was us */
  takeScroll() {
    const top = this.scroller.scrollTop;
    const by = top - this.#setScrollTop;
    if (Math.abs(by) < 1) return 0;
    this.#setScrollTop = top;
    this.#anchor = this.#lineAt(top);
    return by;
  }

  /** The line that the last layout has at a height. @param {number} top */
  #lineAt(top) {
    const { lines } = this.store;
    if (!lines.length) return null;
    let y = HEAD_PX - top;
    let i = Math.max(0, Math.min(lines.length - 1, this.#baseId - lines[0].id));
    for (; i < lines.length - 1; i++) {
      const height = this.#heightOf(lines[i]);
      if (y + height > 0 && height) break;
      y += height;
    }
    return { line: lines[i], offset: y };
  }

  get isAtBottom() {
    const { scrollTop, scrollHeight } = this.scroller;
    return scrollTop + this.#height >= scrollHeight - 3;
  }

  /** The line at the top of the view. */
  get anchor() {
    return this.#anchor && this.store.indexOf(this.#anchor.line) >= 0 ? this.#anchor : null;
  }

  /** Whatever is shown next begins at the top. */
  toStart() {
    this.#anchor = null;
    this.scroller.scrollTop = this.#setScrollTop = 0;
  }

  /** Puts a line at a distance from the top, at the next `render`. @param {Line} line @param {number} offset */
  moveTo(line, offset) {
    this.#anchor = { line, offset };
  }

  /** Brings a line into view, if it is not, at the next `render`. @param {Line} line */
  reveal(line) {
    const index = this.store.indexOf(line);
    const anchor = this.anchor;
    if (index < 0) return;
    const from = anchor ? this.store.indexOf(anchor.line) : 0;
    const start = anchor ? anchor.offset : HEAD_PX - this.#setScrollTop;
    const top = index >= from ? start + this.#span(from, index) : start - this.#span(index, from);
    const bottom = this.#height - this.#heightOf(line) - FOOT_PX;
    const far = this.#height * 1.5;
    if (top < -far || top > far) this.moveTo(line, Math.round(this.#height / 3));
    else if (top < 0) this.moveTo(line, 4);
    else if (top > bottom) this.moveTo(line, bottom);
  }

  /** @param {boolean} isFollowing @returns {{ nAbove: number, nBelow: number }} lines outside the view */
  render(isFollowing) {
    const { lines } = this.store;
    this.#isFollowing = isFollowing;
    if (isFollowing) this.#anchor = null;
    else if (!this.anchor) this.#anchor = this.#lineAt(this.#setScrollTop);
    let range = this.#range(isFollowing);
    this.#sync(range.from, range.to);
    if (this.#measure()) {
      // What was guessed too high leaves the view half empty.
      range = this.#range(isFollowing);
      this.#sync(range.from, range.to);
      this.#measure();
    }
    const above = HEAD_PX + this.#span(0, range.from);
    const total = above + this.#span(range.from, lines.length) + FOOT_PX;
    this.#baseId = lines[0]?.id ?? 0;
    this.sizer.style.height = `${total}px`;
    this.box.style.transform = `translateY(${above}px)`;
    this.#scrollTo(isFollowing ? total - this.#height : this.#anchorTop());
    return { nAbove: range.first, nBelow: Math.max(0, lines.length - range.last) };
  }

  #anchorTop() {
    const anchor = this.anchor;
    if (!anchor) return this.#setScrollTop;
    return HEAD_PX + this.#span(0, this.store.indexOf(anchor.line)) - anchor.offset;
  }

  /** @param {number} top */
  #scrollTo(top) {
    const wanted = Math.max(0, Math.round(top));
    if (Math.abs(wanted - this.#setScrollTop) < 1 && !this.#isFollowing) return;
    this.scroller.scrollTop = wanted;
    this.#setScrollTop = this.scroller.scrollTop;
  }

  /** Which lines are elements (`from`, `to`), and which are in view (`first`, `last`). @param {boolean} isFollowing */
  #range(isFollowing) {
    const { lines } = this.store;
    const n = lines.length;
    const overscan = isFollowing ? FOLLOWING_OVERSCAN_PX : OVERSCAN_PX;
    const anchor = isFollowing ? null : this.anchor;
    let first = anchor ? this.store.indexOf(anchor.line) : isFollowing ? n : 0;
    let last = first;
    let nRows = 0;
    const start = anchor ? anchor.offset : 0;
    let from = first;
    const upTo = isFollowing ? this.#height + overscan : start + overscan;
    for (let y = 0; from > 0 && y < upTo && nRows < MAX_ROWS / 2; ) {
      const height = this.#heightOf(lines[--from]);
      y += height;
      if (height) nRows++;
      if (y <= (isFollowing ? this.#height : start)) first = from;
    }
    let to = last;
    for (let y = start; to < n && y < this.#height + overscan && nRows < MAX_ROWS; to++) {
      const height = this.#heightOf(lines[to]);
      y += height;
      if (height) nRows++;
      if (y < this.#height) last = to + 1;
    }
    return { from, to: Math.max(to, isFollowing ? n : 0), first, last: isFollowing ? n : last };
  }

  /** Makes the elements those of a range. @param {number} from @param {number} to */
  #sync(from, to) {
    const { lines } = this.store;
    /** @type {Map<Line, HTMLElement>} */ const rows = new Map();
    for (let i = from; i < to; i++) {
      const line = lines[i];
      if (line.isHidden) continue;
      let row = this.#rows.get(line);
      if (row && !line.isStale) this.#rows.delete(line);
      else {
        row = this.build(line);
        if (line.isStale) line.height = 0;
        line.isStale = false;
      }
      rows.set(line, row);
    }
    for (const row of this.#rows.values()) row.remove();
    this.#rows = rows;
    let next = this.box.firstElementChild;
    for (const row of rows.values()) {
      if (row === next) next = next.nextElementSibling;
      else this.box.insertBefore(row, next);
    }
  }

  /** Measures what may not be one row high. @returns {boolean} whether something was */
  #measure() {
    let isNew = false;
    for (const [line, row] of this.#rows) {
      if (line.height || !(this.isWrapped || line.isOpen || line.kind === "note")) continue;
      line.height = row.getBoundingClientRect().height || this.rowPx;
      this.#measured.sum += line.height;
      this.#measured.n++;
      isNew = true;
    }
    return isNew;
  }
}
