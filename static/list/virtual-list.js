// Virtual list: of any number of lines only those near the eye are elements. What is above and
// below has a height, measured or guessed; when a guess turns out wrong, the line at the top of the
// view stays where it is.
import { Heights } from "./heights.js";

/**
 * Which lines are elements (`from`, `to`), and which are in view (`first`, `last`).
 * @typedef {{ from: number, to: number, first: number, last: number }} Range
 */

const MAX_ROWS = 400;
const OVERSCAN_PX = 600;
/** While lines rush by nobody scrolls. */
const FOLLOWING_OVERSCAN_PX = 100;
/** Above the first line: where it begins, or a way to what is before. */
export const HEAD_PX = 36;
const FOOT_PX = 8;

export class VirtualList {
  height = 0;
  /** @type {Map<Line, HTMLElement>} */ rows = new Map();
  /** The first line in view, and where. @type {Anchor | null} */ #anchor = null;
  /** Of the line that the last layout has first. */ #baseId = 0;
  #top = 0;

  /**
   * @param {HTMLElement} scroller
   * @param {HTMLElement} box holds the rows
   * @param {LineStore} store
   * @param {(line: Line) => HTMLElement} build
   */
  constructor(scroller, box, store, build) {
    this.scroller = scroller;
    this.box = box;
    this.store = store;
    this.build = build;
    this.heights = new Heights(store);
  }

  /** All rows are to be built and measured again. */
  forget() {
    this.heights.forget(this.scroller);
    this.height = this.scroller.clientHeight;
    this.box.replaceChildren();
    this.rows.clear();
  }

  /**
   * The user has scrolled: which line is at the top now?
   * @returns {number} how far it went, 0 if it was us
   */
  takeScroll() {
    const by = this.scroller.scrollTop - this.#top;
    if (Math.abs(by) < 1) return 0;
    this.#top += by;
    this.#anchor = this.#lineAt(this.#top);
    return by;
  }

  /** The line that the last layout has at a height. @param {number} top @returns {Anchor | null} */
  #lineAt(top) {
    const { lines } = this.store;
    let offset = HEAD_PX - top;
    let i = Math.max(0, Math.min(lines.length - 1, this.#baseId - lines[0]?.id));
    for (; i < lines.length - 1; i++) {
      const height = this.heights.of(lines[i]);
      if (offset + height > 0 && height) break;
      offset += height;
    }
    return lines.length ? { line: lines[i], offset } : null;
  }

  get isAtBottom() {
    return this.#top + this.height >= this.scroller.scrollHeight - 3;
  }

  /** The line at the top of the view. */
  get anchor() {
    return this.#anchor && this.store.indexOf(this.#anchor.line) >= 0 ? this.#anchor : null;
  }

  /** Whatever is shown next begins at the top. */
  toStart() {
    this.#anchor = null;
    this.scroller.scrollTop = this.#top = 0;
  }

  /**
   * Puts a line at a distance from the top, at the next `render`.
   * @param {Line} line
   * @param {number} offset
   */
  moveTo(line, offset) {
    this.takeScroll();
    this.#anchor = { line, offset };
  }

  /** Brings a line into view, if it is not, at the next `render`. @param {Line} line */
  reveal(line) {
    const index = this.store.indexOf(line);
    const from = this.anchor ? this.store.indexOf(this.anchor.line) : 0;
    const top =
      (this.anchor?.offset ?? HEAD_PX - this.#top) +
      (index < from ? -this.heights.span(index, from) : this.heights.span(from, index));
    const bottom = this.height - this.heights.of(line) - FOOT_PX;
    if (top < -this.height || top > this.height * 2) this.moveTo(line, Math.round(this.height / 3));
    else if (top < 4 || top > bottom) this.moveTo(line, top < 4 ? 4 : bottom);
  }

  /**
   * @param {boolean} isFollowing
   * @returns {{ nAbove: number, nBelow: number }} lines outside the view
   */
  render(isFollowing) {
    const { lines } = this.store;
    if (isFollowing) this.#anchor = null;
    else if (!this.anchor) this.#anchor = this.#lineAt(this.#top);
    let range = this.#range(isFollowing);
    this.#sync(range);
    // What was guessed too high leaves the view half empty.
    for (let i = 0; i < 3 && this.heights.measure(this.rows); i++)
      this.#sync((range = this.#range(isFollowing)));
    const above = HEAD_PX + this.heights.span(0, range.from);
    const total = above + this.heights.span(range.from, lines.length) + FOOT_PX;
    this.#baseId = lines[0]?.id ?? 0;
    /** @type {HTMLElement} */ (this.box.parentElement).style.height = `${total}px`;
    this.box.style.transform = `translateY(${above}px)`;
    const { anchor } = this;
    const top = isFollowing
      ? total - this.height
      : anchor
        ? HEAD_PX + this.heights.span(0, this.store.indexOf(anchor.line)) - anchor.offset
        : this.#top;
    const wanted = Math.max(0, Math.round(top));
    if (isFollowing || Math.abs(wanted - this.#top) >= 1) {
      this.scroller.scrollTop = wanted;
      this.#top = this.scroller.scrollTop;
    }
    return { nAbove: range.first, nBelow: lines.length - range.last };
  }

  /** @param {boolean} isFollowing @returns {Range} */
  #range(isFollowing) {
    const { lines } = this.store;
    const { anchor, height } = this;
    const start = anchor?.offset ?? (isFollowing ? height : 0);
    const overscan = isFollowing ? FOLLOWING_OVERSCAN_PX : OVERSCAN_PX;
    let first = isFollowing ? lines.length : anchor ? this.store.indexOf(anchor.line) : 0;
    let from = first;
    let to = first;
    let last = first;
    let nRows = 0;
    /** @param {Line} line */
    const take = (line) => {
      const high = this.heights.of(line);
      if (high) nRows++;
      return high;
    };
    for (let y = start; from > 0 && y > -overscan && nRows < MAX_ROWS / 2;) {
      if (y > 0) first = from - 1;
      y -= take(lines[--from]);
    }
    for (let y = start; to < lines.length && y < height + overscan && nRows < MAX_ROWS;) {
      if (y < height) last = to + 1;
      y += take(lines[to++]);
    }
    return { from, to, first, last };
  }

  /** Makes the elements those of a range. @param {Range} range */
  #sync({ from, to }) {
    /** @type {Map<Line, HTMLElement>} */ const rows = new Map();
    for (const line of this.store.lines.slice(from, to)) {
      if (line.isHidden) continue;
      const row = this.rows.get(line);
      if (row && !line.isStale) this.rows.delete(line);
      else if (line.isStale) line.height = 0;
      rows.set(line, row && !line.isStale ? row : this.build(line));
      line.isStale = false;
    }
    for (const row of this.rows.values()) row.remove();
    this.rows = rows;
    let next = this.box.firstElementChild;
    for (const row of rows.values()) {
      if (row === next) next = next.nextElementSibling;
      else this.box.insertBefore(row, next);
    }
  }
}
