// @ts-check
// <tailcast-log>: one pane. It shows a model, follows its end, and knows which line is selected.
//
//     <tailcast-log></tailcast-log>
import { globOf, isGlob, namesOf } from "../protocol.js";
import { LogModel } from "../model/log-model.js";
import { findBeyond, findHere } from "../model/finder.js";
import { firstAfter } from "../stream/pages.js";
import { count, formatTime, plural } from "../text/format.js";
import { printable } from "../text/visible.js";
import { element } from "./dom.js";
import { buildRow } from "./row.js";
import { VirtualList } from "./virtual-list.js";

/** @import { Filter } from "../protocol.js" */
/** @import { Line } from "../model/line.js" */
/** @import { Target } from "../model/log-model.js" */
/** @import { Wanted } from "../model/finder.js" */
/** @import { Look } from "./row.js" */
/**
 * @typedef {object} Host the page around it
 * @property {Look} look
 * @property {(view: LogView) => void} stateChanged
 * @property {(text: string) => void} say
 * @property {(line: Line) => void} toggleMark
 * @property {(view: LogView) => void} closePane
 */

/** A target that does not come is let go of. */
const TARGET_MS = 3000;
const HUES = [210, 30, 140, 280, 0, 180, 55, 320, 100, 245];

let isMarked = false;

export class LogView extends HTMLElement {
  /** @type {LogModel} */ model;
  /** @type {Line | null} */ selected = null;
  #isDue = false;
  /** @type {(Target & { until: number }) | null} */ #target = null;
  #search = new AbortController();
  #hues = new Map();
  #resized = new ResizeObserver(() => {
    if (this.list.resize()) this.#schedule();
  });

  /** @param {Host} host @param {string} name @param {URLSearchParams} query @param {Filter} filter @param {string} cursor of the line that a link means */
  constructor(host, name, query, filter, cursor) {
    super();
    this.host = host;
    this.name = name;
    this.caption = element("header", "caption", element("span", "name", printable(name)));
    this.close = element("button", "icon", "×");
    this.close.setAttribute("aria-label", `Close ${name}`);
    this.caption.append(this.close);
    this.head = element("button", "head");
    this.box = element("div", "rows");
    this.sizer = element("div", "sizer", this.head, this.box);
    this.scroller = element("div", "scroller", this.sizer);
    this.badge = element("button", "badge");
    this.badge.hidden = true;
    const own = { isMerged: isGlob(name), hue: this.#hue };
    this.model = new LogModel(name, query, filter, this);
    if (cursor) this.#target = { cursor, offset: -1, until: Date.now() + TARGET_MS };
    this.list = new VirtualList(this.scroller, this.sizer, this.box, this.model.store, (line) => {
      const row = buildRow(line, { ...this.host.look, ...own });
      if (line === this.selected) row.classList.add("selected");
      return row;
    });
  }

  connectedCallback() {
    this.append(this.caption, this.scroller, this.badge);
    Object.assign(this.scroller, { tabIndex: 0, role: "log", ariaLive: "off", ariaLabel: `Lines of ${this.name}` });
    this.scroller.addEventListener("scroll", this.#scrolled, { passive: true });
    this.scroller.addEventListener("wheel", this.#wheeled, { passive: true });
    this.box.addEventListener("click", this.#clicked);
    this.head.addEventListener("click", () => this.#showEarlier());
    this.badge.addEventListener("click", () => this.toEnd());
    this.close.addEventListener("click", () => this.host.closePane(this));
    this.#resized.observe(this.scroller);
    this.list.isWrapped = this.host.look.isWrapped;
    this.model.start();
    this.#schedule();
  }

  disconnectedCallback() {
    this.#resized.disconnect();
    this.#search.abort();
    this.model.stop();
  }

  // What the model tells.

  linesChanged = () => this.#schedule();

  stateChanged = () => {
    this.#schedule();
    this.host.stateChanged(this);
  };

  /** @param {Target | null} target */
  linesReplaced = (target) => {
    this.selected = null;
    this.list.forgetRows();
    this.#target = target && { ...target, until: Date.now() + TARGET_MS };
    if (target) this.list.toStart();
    this.#schedule();
  };

  // Rendering.

  #schedule() {
    if (this.#isDue || !this.isConnected) return;
    this.#isDue = true;
    // A hidden page has no frames; what comes meanwhile must not pile up.
    if (document.hidden) setTimeout(this.#render, 200);
    else requestAnimationFrame(this.#render);
  }

  #render = () => {
    this.#isDue = false;
    if (!this.isConnected) return;
    const { model, list } = this;
    this.#aim();
    const before = model.store.lines[0]?.id;
    const nBefore = model.store.length;
    const { nAbove, nBelow } = list.render(model.isFollowing);
    model.look(nAbove, nBelow);
    if (model.store.lines[0]?.id !== before || model.store.length !== nBefore) list.render(model.isFollowing);
    if (nBefore && !isMarked) performance.mark("tailcast:first-line");
    isMarked ||= nBefore > 0;
    this.#renderHead();
    this.#renderBadge(nBelow);
    this.classList.toggle("following", model.isFollowing);
    if (this.#target) this.#schedule();
  };

  /** Puts the line that was asked for where it shall be, once it has come. */
  #aim() {
    const target = this.#target;
    if (!target) return;
    const line = this.model.store.lines.find((line) => line.cursor === target.cursor);
    if (line) {
      this.#target = null;
      this.select(line);
      this.list.moveTo(line, this.#offsetOf(target));
      return;
    }
    const { boundary, lines } = this.model.store;
    if (!this.list.anchor && lines.length) this.list.moveTo(boundary ?? lines[lines.length - 1], this.#offsetOf(target));
    if (!target.cursor || Date.now() > target.until) this.#target = null;
  }

  /** @param {Target} target */
  #offsetOf({ offset }) {
    return offset < 0 ? Math.round(this.scroller.clientHeight / 3) : offset;
  }

  #renderHead() {
    const { model } = this;
    let text = model.isAtBegin ? "the beginning" : "show earlier lines";
    if (!model.store.places.size) text = "";
    else if (model.isLoadingOlder) text = "loading earlier lines…";
    else if (model.olderError) text = `earlier lines could not be read (${model.olderError}): try again`;
    else if (model.isCleared) text = "cleared: show earlier lines";
    else if (model.isAtBegin && !model.store.length) text = "no lines yet";
    if (this.head.textContent !== text) this.head.textContent = text;
    this.head.disabled = !text || model.isLoadingOlder || (model.isAtBegin && !model.isCleared);
  }

  /** @param {number} nBelow */
  #renderBadge(nBelow) {
    const { model } = this;
    const isShown = !model.isFollowing && (nBelow > 0 || model.isBehind || !!model.unread);
    this.badge.hidden = !isShown;
    if (!isShown) return;
    const more = model.isBehind ? "+" : "";
    const text = model.unread ? `↓ ${count(model.unread)}${more} new ${model.unread === 1 && !more ? "line" : "lines"}` : "↓ to the end";
    if (this.badge.textContent !== text) this.badge.textContent = text;
  }

  /** Colours, times or highlights have changed. */
  refresh() {
    this.list.isWrapped = this.host.look.isWrapped;
    this.list.forgetHeights();
    this.list.forgetRows();
    this.#schedule();
  }

  /** The relative times have grown. */
  refreshTimes() {
    const now = Date.now();
    for (const cell of this.box.querySelectorAll("time")) {
      if (cell.dataset.at) cell.textContent = formatTime(Number(cell.dataset.at), this.host.look.time, now);
    }
  }

  #hue = (/** @type {string} */ source) => {
    if (!this.#hues.has(source)) this.#hues.set(source, HUES[this.#hues.size % HUES.length]);
    return this.#hues.get(source);
  };

  // What the user does.

  #scrolled = () => {
    const by = this.list.takeScroll();
    if (!by) return;
    this.#target = null;
    if (by < 0) this.model.setFollowing(false);
    else if (this.list.isAtBottom && !this.model.isBehind) this.model.setFollowing(true);
    this.#schedule();
  };

  #wheeled = (/** @type {WheelEvent} */ event) => {
    if (event.deltaY >= 0 || event.ctrlKey) return;
    this.model.setFollowing(false);
    this.#schedule();
  };

  #clicked = (/** @type {MouseEvent} */ event) => {
    const target = /** @type {HTMLElement} */ (event.target);
    const row = /** @type {HTMLElement | null} */ (target.closest(".row"));
    const line = row && this.#lineOf(row);
    if (!line || target.closest("a, summary")) return;
    const button = target.closest("button");
    if (button?.classList.contains("mark")) this.host.toggleMark(line);
    else if (button?.classList.contains("toggle")) this.#change(line, () => (line.isOpen = !line.isOpen));
    else if (button?.classList.contains("fold")) this.#fold(line, !line.isFolded);
    else if (button?.classList.contains("more")) this.#change(line, () => (line.isLong = line.isOpen = true));
    else if (getSelection()?.isCollapsed) this.select(line === this.selected ? null : line);
  };

  /** @param {HTMLElement} row */
  #lineOf(row) {
    return this.model.store.lines.find((line) => this.list.rowOf(line) === row) ?? null;
  }

  /** @param {Line} line @param {() => void} change */
  #change(line, change) {
    this.#hold();
    change();
    line.isStale = true;
    this.#schedule();
  }

  /** Stops following, so that what is looked at stays. */
  #hold() {
    this.model.setFollowing(false);
  }

  /** @param {Line} head @param {boolean} isFolded */
  #fold(head, isFolded) {
    this.#change(head, () => (head.isFolded = isFolded));
  }

  foldAll() {
    const heads = this.model.store.lines.filter((line) => line.nFollowers);
    const isFolded = heads.some((head) => !head.isFolded);
    for (const head of heads) this.#fold(head, isFolded);
    this.host.say(heads.length ? `${plural(heads.length, "stack trace")} ${isFolded ? "folded" : "unfolded"}` : "no stack traces here");
  }

  /** Opens what the selected line holds, or folds what belongs to it. */
  toggleOpen() {
    const line = this.selected;
    if (!line) return;
    if (line.nFollowers) this.#fold(line, !line.isFolded);
    else this.#change(line, () => (line.isOpen = line.isLong = !line.isOpen));
  }

  /** @param {Line} line its mark has changed */
  markChanged(line) {
    line.isStale = true;
    this.#schedule();
  }

  /** @param {Line | null} line */
  select(line) {
    if (this.selected) this.list.rowOf(this.selected)?.classList.remove("selected");
    this.selected = line;
    if (line) this.list.rowOf(line)?.classList.add("selected");
    this.host.stateChanged(this);
  }

  /** @param {Line} line */
  goTo(line) {
    this.#hold();
    this.#leaveEnd();
    this.select(line);
    this.list.reveal(line);
    this.#schedule();
  }

  /** Whoever is at the end has no line at the top yet. */
  #leaveEnd() {
    this.list.render(this.model.isFollowing);
  }

  /** @param {number} by lines */
  moveSelection(by) {
    const { lines } = this.model.store;
    if (!lines.length) return;
    const at = this.#position(by > 0 ? 1 : -1);
    let to = at;
    for (let left = Math.abs(by), i = at; left > 0; ) {
      i += Math.sign(by);
      if (i < 0 || i >= lines.length) break;
      if (lines[i].isHidden) continue;
      to = i;
      left--;
    }
    if (to === at && by > 0 && !this.model.isBehind) return this.toEnd();
    this.goTo(lines[Math.max(0, Math.min(lines.length - 1, to))]);
  }

  /** Where the eye is: the selected line, or just outside the view. @param {1 | -1} direction */
  #position(direction) {
    const { store, isFollowing } = this.model;
    const at = this.selected ? store.indexOf(this.selected) : -1;
    if (at >= 0) return at;
    if (isFollowing) return store.length;
    const anchor = this.list.anchor;
    return anchor ? store.indexOf(anchor.line) - direction : -1;
  }

  /** @param {number} pages */
  scrollPages(pages) {
    if (pages < 0) this.#hold();
    this.#leaveEnd();
    this.scroller.scrollTop += pages * this.list.pageLines * this.list.rowPx;
    this.#schedule();
  }

  /** The oldest line there is. */
  async toTop() {
    const { model } = this;
    this.#hold();
    if (!model.isAtBegin || model.isCleared) await model.reopen({ tail: "all" }, { cursor: "", offset: 0 });
    this.#leaveEnd();
    const first = model.store.lines[0];
    if (first) this.list.moveTo(first, 36);
    this.#schedule();
  }

  toEnd() {
    this.#target = null;
    this.select(null);
    this.model.setFollowing(true);
    this.#schedule();
  }

  togglePause() {
    if (this.model.isFollowing) this.#hold();
    else this.toEnd();
    this.#schedule();
  }

  #showEarlier() {
    this.#hold();
    this.model.olderError = "";
    void this.model.loadOlder();
    this.#schedule();
  }

  /** @param {1 | -1} direction @param {Wanted} wanted */
  findHere(direction, wanted) {
    const line = findHere(this.model.store.lines, this.#position(direction), direction, wanted);
    if (line) this.goTo(line);
    return line !== null;
  }

  /** @param {Line} line */
  linkTo(line) {
    const url = new URL(location.href);
    const hash = new URLSearchParams(url.hash.slice(1));
    const before = this.model.store.placeBefore(line);
    for (const key of ["tail", "since", "from"]) url.searchParams.delete(key);
    if (before && !this.model.store.isMerged) url.searchParams.set("from", before);
    else if (line.time) url.searchParams.set("since", line.time);
    hash.set("line", line.cursor);
    url.hash = hash.toString();
    return url;
  }

  /** @param {1 | -1} direction @param {Wanted} wanted */
  async find(direction, wanted) {
    const { model } = this;
    if (this.findHere(direction, wanted)) return;
    const isEnd = direction > 0 ? !model.isBehind : model.isAtBegin && !model.isCleared;
    this.#search.abort();
    const search = (this.#search = new AbortController());
    const record = isEnd ? null : await findBeyond(model, direction, wanted, search.signal);
    if (search.signal.aborted) return;
    if (!record) return this.host.say(`no ${direction > 0 ? "later" : "earlier"} ${wanted.what}`);
    const position = model.store.isMerged ? { since: record.time } : { from: record.cursor };
    await model.openAt(position, record.cursor, -1);
  }

  /** @param {string} time as the server reads it */
  async jumpToTime(time) {
    const { model } = this;
    if (model.store.isMerged) return model.openAt({ since: time }, "", 0);
    const query = new URLSearchParams({ since: time });
    for (const [key, value] of Object.entries(model.filter)) if (value) query.set(key, value);
    const record = await firstAfter(this.name, query);
    if (!record) return this.host.say("no line since then");
    await model.openAt({ from: record.cursor }, record.cursor, -1);
  }

  /** The line that stays where it is when the filter changes. */
  get anchor() {
    if (this.model.isFollowing) return null;
    const { selected } = this;
    const row = selected && this.list.rowOf(selected);
    if (selected && row) {
      const offset = row.getBoundingClientRect().top - this.scroller.getBoundingClientRect().top;
      if (offset >= 0 && offset < this.scroller.clientHeight) return { line: selected, offset };
    }
    return this.list.anchor;
  }

  /** The sources it shows, as far as they are known by name. */
  get sources() {
    return namesOf(this.name) ?? (isGlob(this.name) ? [...this.model.store.places.keys()] : [this.name]);
  }

  /** Its name with one more source, or one less. @param {string} source */
  nameWith(source) {
    const { sources } = this;
    const next = sources.includes(source) ? sources.filter((name) => name !== source) : [...sources, source];
    return next.length > 1 ? globOf(next) : (next[0] ?? source);
  }
}
