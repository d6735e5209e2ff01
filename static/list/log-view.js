// @ts-check
// <tailcast-log>: one pane. It shows a model, follows its end, and knows which line is selected.
import { findBeyond, findHere } from "../model/finder.js";
import { LogModel } from "../model/log-model.js";
import { globOf, isGlob } from "../protocol.js";
import { firstAfter } from "../stream/pages.js";
import { plural } from "../text/format.js";
import { printable } from "../text/visible.js";
import { element } from "./dom.js";
import { buildRow } from "./row.js";
import { HEAD_PX, VirtualList } from "./virtual-list.js";

/** A target that does not come is let go of. */
const TARGET_MS = 3000;
let isSeen = false;

/** @implements {Delegate} */
export class LogView extends HTMLElement {
  /** @type {Line | null} */ selected = null;
  #isDue = false;
  /** @type {(Target & { until: number }) | null} */ #target = null;
  #search = new AbortController();
  #hues = new Map();
  #resized = new ResizeObserver(() => this.refresh());

  /**
   * @param {Host} host
   * @param {string} name
   * @param {URLSearchParams} query
   * @param {Filter} filter
   * @param {string} cursor of the line that a link means
   */
  constructor(host, name, query, filter, cursor) {
    super();
    this.host = host;
    this.name = name;
    this.closer = element("button", "icon", "×");
    this.closer.ariaLabel = `Close ${name}`;
    this.caption = element("header", "", element("span", "name", printable(name)), this.closer);
    this.head = element("button", "head");
    this.box = element("div", "rows");
    this.scroller = element("div", "scroller", element("div", "sizer", this.head, this.box));
    this.badge = element("button", "badge");
    this.model = new LogModel(name, query, filter, this);
    if (cursor) this.#target = { cursor, offset: -1, until: Date.now() + TARGET_MS };
    this.list = new VirtualList(this.scroller, this.box, this.model.store, (line) => {
      const row = buildRow(line, host.look, isGlob(name), this.#hue);
      row.classList.toggle("selected", line === this.selected);
      return row;
    });
  }

  connectedCallback() {
    const { scroller, model } = this;
    this.append(this.caption, scroller, this.badge);
    Object.assign(scroller, {
      tabIndex: 0,
      role: "log",
      ariaLive: "off",
      ariaLabel: `Lines of ${this.name}`,
    });
    scroller.addEventListener("scroll", this.#scrolled, { passive: true });
    scroller.addEventListener(
      "wheel",
      ({ deltaY, ctrlKey }) => deltaY < 0 && !ctrlKey && this.hold(),
      { passive: true },
    );
    this.box.addEventListener("click", this.#clicked);
    this.head.addEventListener("click", () => {
      this.hold();
      void model.loadOlder();
    });
    this.badge.addEventListener("click", () => this.toEnd());
    this.closer.addEventListener("click", () => this.host.closePane(this));
    this.#resized.observe(scroller);
    model.connection.start();
  }

  disconnectedCallback() {
    this.#resized.disconnect();
    this.#search.abort();
    this.model.connection.stop();
  }

  // What the model tells.

  linesChanged = () => this.schedule();

  stateChanged() {
    this.schedule();
    this.host.stateChanged();
  }

  /** @param {Target | null} target */
  linesReplaced(target) {
    this.selected = null;
    this.#target = target && { ...target, until: Date.now() + TARGET_MS };
    this.list.forget();
    if (target) this.list.toStart();
    this.schedule();
  }

  // Rendering.

  schedule() {
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
    const { lines } = model.store;
    this.#aim();
    const { nAbove, nBelow } = list.render(model.isFollowing);
    if (lines.length && !isSeen) performance.mark("tailcast:first-line");
    isSeen ||= lines.length > 0;
    const [first, n] = [lines[0], lines.length];
    model.look(nAbove, nBelow);
    if (lines[0] !== first || lines.length !== n) list.render(model.isFollowing);
    this.#renderEnds(nBelow);
  };

  /** Puts the line that was asked for where it shall be, once it has come. */
  #aim() {
    const target = this.#target;
    if (!target) return;
    const { boundary, lines } = this.model.store;
    const offset = target.offset < 0 ? Math.round(this.list.height / 3) : target.offset;
    const line = lines.find(({ cursor }) => cursor === target.cursor);
    if (line) this.select(line);
    if (line || (!this.list.anchor && lines.length))
      this.list.moveTo(line ?? boundary ?? lines[lines.length - 1], offset);
    if (line || !target.cursor || Date.now() > target.until) this.#target = null;
    else this.schedule();
  }

  #renderEnds(nBelow) {
    const {
      isAtBegin,
      isCleared,
      isLoadingOlder,
      olderError,
      store,
      unread,
      isBehind,
      isFollowing,
    } = this.model;
    let head = isAtBegin
      ? store.lines.length
        ? "the beginning"
        : "no lines yet"
      : "show earlier lines";
    if (isCleared) head = "show earlier lines";
    else if (isLoadingOlder) head = "loading earlier lines…";
    else if (olderError) head = `earlier lines could not be read (${olderError}): try again`;
    else if (!store.places.size) head = "";
    this.head.disabled = !head || isLoadingOlder || (isAtBegin && !isCleared);
    const badge = unread
      ? `↓ ${plural(unread, `${isBehind ? "or more " : ""}new line`)}`
      : "↓ to the end";
    for (const [button, text] of /** @type {const} */ ([
      [this.head, head],
      [this.badge, badge],
    ]))
      if (button.textContent !== text) button.textContent = text;
    this.badge.hidden = isFollowing || !(nBelow > 0 || isBehind || unread);
  }

  /** Colours, times, highlights or sizes have changed. */
  refresh() {
    this.list.isWrapped = this.host.look.isWrapped;
    this.list.forget();
    this.schedule();
  }

  /** Neighbours in the order of their coming are far apart on the wheel. */
  #hue = (source) => {
    if (!this.#hues.has(source)) this.#hues.set(source, (210 + this.#hues.size * 137) % 360);
    return this.#hues.get(source);
  };

  // What the user does.

  #scrolled = () => {
    const by = this.list.takeScroll();
    if (!by) return;
    this.#target = null;
    if (by < 0) this.hold();
    else if (this.list.isAtBottom && !this.model.isBehind) this.model.setFollowing(true);
    this.schedule();
  };

  #clicked = ({ target }) => {
    const row = target.closest(".row");
    const line = [...this.list.rows].find(([, other]) => other === row)?.[0];
    if (!line || target.closest("a, summary")) return;
    const kind = target.closest("button")?.classList[0];
    if (kind === "mark") this.host.toggleMark(line);
    else if (kind === "fold") this.#change(line, { isFolded: !line.isFolded });
    else if (kind) this.#change(line, { isOpen: !line.isOpen });
    else if (getSelection()?.isCollapsed) this.select(line === this.selected ? null : line);
  };

  #change(line, change) {
    this.hold();
    Object.assign(line, change, { isStale: true });
  }

  /** Stops following, so that what is looked at stays. */
  hold() {
    this.model.setFollowing(false);
    this.schedule();
  }

  foldAll() {
    const heads = this.model.store.lines.filter((line) => line.nFollowers);
    const isFolded = heads.some((head) => !head.isFolded);
    for (const head of heads) this.#change(head, { isFolded });
  }

  /** Opens what the selected line holds, or folds what belongs to it. */
  toggleOpen() {
    const line = this.selected;
    if (line)
      this.#change(line, line.nFollowers ? { isFolded: !line.isFolded } : { isOpen: !line.isOpen });
  }

  /** @param {Line | null} line */
  select(line) {
    for (const old of [this.selected, line])
      if (old) this.list.rows.get(old)?.classList.toggle("selected", old === line);
    this.selected = line;
  }

  /** @param {Line} line */
  #goTo(line) {
    this.hold();
    // Whoever is at the end has no line at the top yet.
    this.list.render(false);
    this.select(line);
    this.list.reveal(line);
  }

  /** @param {number} by lines */
  moveSelection(by) {
    const line = findHere(this.model.store.lines, this.#position(by), by, {
      test: () => true,
      what: "",
      query: {},
    });
    if (line) this.#goTo(line);
    else if (by > 0) this.toEnd();
  }

  /** Where the eye is: the selected line, or just outside the view. */
  #position(direction) {
    const { store, isFollowing } = this.model;
    const at = this.selected ? store.indexOf(this.selected) : -1;
    if (at >= 0) return at;
    return isFollowing || !this.list.anchor
      ? store.lines.length
      : store.indexOf(this.list.anchor.line) - direction;
  }

  /** @param {number} pages */
  scrollPages(pages) {
    if (pages < 0) this.hold();
    this.scroller.scrollTop += pages * (this.list.height - this.list.rowPx);
  }

  /** The oldest line there is. */
  async toTop() {
    const { model } = this;
    this.hold();
    if (!model.isAtBegin || model.isCleared)
      await model.reopen({ tail: "all" }, { cursor: "", offset: HEAD_PX });
    else this.list.moveTo(model.store.lines[0], HEAD_PX);
  }

  toEnd() {
    this.#target = null;
    this.list.takeScroll();
    this.select(null);
    this.model.setFollowing(true);
    this.schedule();
  }

  togglePause() {
    if (this.model.isFollowing) this.hold();
    else this.toEnd();
  }

  /** @param {number} direction @param {Wanted} wanted */
  findHere(direction, wanted) {
    const line = findHere(this.model.store.lines, this.#position(direction), direction, wanted);
    if (line) this.#goTo(line);
    return line;
  }

  /** @param {number} direction @param {Wanted} wanted */
  async find(direction, wanted) {
    const { model } = this;
    if (this.findHere(direction, wanted)) return;
    this.#search.abort();
    const { signal } = (this.#search = new AbortController());
    const record = await findBeyond(model, direction, wanted, signal);
    if (signal.aborted) return;
    if (!record) return this.host.say(`no ${direction > 0 ? "later" : "earlier"} ${wanted.what}`);
    await model.reopen(model.store.isMerged ? { since: record.time } : { from: record.cursor }, {
      cursor: record.cursor,
      offset: -1,
    });
  }

  /** @param {string} since as the server reads times */
  async jumpToTime(since) {
    const { model } = this;
    if (model.store.isMerged) return model.reopen({ since }, { cursor: "", offset: HEAD_PX });
    const record = await firstAfter(this.name, { ...model.filter, since });
    if (!record) return this.host.say("no line since then");
    await model.reopen({ from: record.cursor }, { cursor: record.cursor, offset: -1 });
  }

  /** The line that stays where it is when the filter changes. */
  get anchor() {
    if (this.model.isFollowing) return null;
    const line = this.selected;
    const row = line && this.list.rows.get(line);
    const offset = row
      ? row.getBoundingClientRect().top - this.scroller.getBoundingClientRect().top
      : -1;
    return line && offset >= 0 && offset < this.list.height ? { line, offset } : this.list.anchor;
  }

  /** @param {Line} line */
  linkTo(line) {
    const url = new URL(location.href);
    const from = this.model.store.isMerged ? null : this.model.store.placeBefore(line);
    for (const key of ["tail", "since", "from"]) url.searchParams.delete(key);
    if (from ?? line.time) url.searchParams.set(from ? "from" : "since", from ?? line.time ?? "");
    const hash = new URLSearchParams(url.hash.slice(1));
    hash.set("line", line.cursor);
    url.hash = hash.toString();
    return url.href;
  }

  /** The sources it shows, as far as they are known by name. */
  get sources() {
    return isGlob(this.name) ? [...this.model.store.places.keys()] : [this.name];
  }

  /** Its name with one more source, or one less. @param {string} source */
  nameWith(source) {
    const { sources } = this;
    const next = sources.includes(source)
      ? sources.filter((name) => name !== source)
      : [...sources, source];
    return next.length > 1 ? globOf(next) : (next[0] ?? source);
  }
}
