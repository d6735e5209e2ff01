// <tailcast-log>: one pane. It shows a model and follows its end.
import { LogModel } from "../model/log-model.js";
import { maintainWindow } from "../model/window.js";
import { isGlob } from "../protocol.js";
import { printable } from "../text/visible.js";
import { element, Frames, targetOf } from "./dom.js";
import { Ends } from "./ends.js";
import { Aim, Finding } from "./finding.js";
import { buildRow, Hues } from "./row.js";
import { Selection } from "./selection.js";
import { VirtualList } from "./virtual-list.js";

let isSeen = false;

/** @implements {Delegate} */
export class LogView extends HTMLElement {
  selection = new Selection(this);
  finding = new Finding(this);
  ends = new Ends();
  #frames = new Frames(() => this.#render());
  #hues = new Hues();
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
    this.box = element("div", "rows");
    this.scroller = element("div", "scroller", element("div", "sizer", this.ends.head, this.box));
    this.model = new LogModel(name, query, filter, this);
    this.list = new VirtualList(this.scroller, this.box, this.model.store, (line) => {
      const row = buildRow(line, host.appearance, isGlob(name), this.#hues.of);
      row.classList.toggle("selected", line === this.selection.line);
      return row;
    });
    this.aim = new Aim(this.model.store, this.list);
    if (cursor) this.aim.at({ cursor, offset: -1 });
  }

  connectedCallback() {
    const { ends, model, scroller } = this;
    this.append(this.caption, scroller, ends.badge);
    const ariaLabel = `Lines of ${this.name}`;
    Object.assign(scroller, { tabIndex: 0, role: "log", ariaLive: "off", ariaLabel });
    const passive = { passive: true };
    scroller.addEventListener("scroll", this.#scrolled, passive);
    scroller.addEventListener("wheel", this.#wheeled, passive);
    this.box.addEventListener("click", this.#clicked);
    ends.head.addEventListener("click", () => {
      this.hold();
      void model.loadOlder();
    });
    ends.badge.addEventListener("click", () => this.toEnd());
    this.closer.addEventListener("click", () => this.host.closePane(this));
    this.#resized.observe(scroller);
    model.connection.start();
  }

  disconnectedCallback() {
    this.#resized.disconnect();
    this.finding.stop();
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
    this.selection.line = null;
    this.aim.at(target);
    this.list.forget();
    if (target) this.list.toStart();
    this.schedule();
  }

  // Rendering.

  schedule() {
    if (this.isConnected) this.#frames.schedule();
  }

  #render() {
    if (!this.isConnected) return;
    const { aim, ends, list, model } = this;
    const { lines } = model.store;
    const line = aim.take();
    if (line) this.selection.set(line);
    if (aim.isPending) this.schedule();
    const { nAbove, nBelow } = list.render(model.isFollowing);
    if (lines.length && !isSeen) performance.mark("tailcast:first-line");
    isSeen ||= lines.length > 0;
    const [first, n] = [lines[0], lines.length];
    maintainWindow(model, nAbove, nBelow);
    if (lines[0] !== first || lines.length !== n) list.render(model.isFollowing);
    ends.render(model, nBelow);
  }

  /** Colours, times, highlights or sizes have changed. */
  refresh() {
    this.list.heights.isWrapped = this.host.appearance.isWrapped;
    this.list.forget();
    this.schedule();
  }

  // What the user does.

  #scrolled = () => {
    const by = this.list.takeScroll();
    if (!by) return;
    this.aim.at(null);
    if (by < 0) this.hold();
    else if (this.list.isAtBottom && !this.model.isBehind) this.model.setFollowing(true);
    this.schedule();
  };

  /** @param {WheelEvent} event */
  #wheeled = ({ deltaY, ctrlKey }) => {
    if (deltaY < 0 && !ctrlKey) this.hold();
  };

  /** @param {Event} event */
  #clicked = (event) => {
    const { host, selection } = this;
    const target = targetOf(event);
    const row = target.closest(".row");
    const line = [...this.list.rows].find(([, other]) => other === row)?.[0];
    if (!line || target.closest("a, summary")) return;
    const kind = target.closest("button")?.classList[0];
    if (kind === "mark") host.toggleMark(line);
    else if (kind === "fold") selection.change(line, { isFolded: !line.isFolded });
    else if (kind) selection.change(line, { isOpen: !line.isOpen });
    else if (getSelection()?.isCollapsed) selection.set(line === selection.line ? null : line);
  };

  /** Stops following, so that what is looked at stays. */
  hold() {
    this.model.setFollowing(false);
    this.schedule();
  }

  /** @param {number} pages */
  scrollPages(pages) {
    if (pages < 0) this.hold();
    this.scroller.scrollTop += pages * (this.list.height - this.list.heights.rowPx);
  }

  toEnd() {
    this.aim.at(null);
    this.list.takeScroll();
    this.selection.set(null);
    this.model.setFollowing(true);
    this.schedule();
  }

  togglePause() {
    if (this.model.isFollowing) this.hold();
    else this.toEnd();
  }

  /** The sources it shows, as far as they are known by name. */
  get sources() {
    return isGlob(this.name) ? [...this.model.store.places.keys()] : [this.name];
  }
}
