// Selection: the line that keys act on, and what is done with it.
import { findHere } from "../model/finder.js";

/** @type {Wanted} */
const ANY = { what: "", test: () => true, query: {} };

export class Selection {
  /** @type {Line | null} */ line = null;

  /** @param {LogView} view */
  constructor(view) {
    this.view = view;
  }

  /** @param {Line | null} line */
  set(line) {
    const { rows } = this.view.list;
    for (const old of [this.line, line])
      if (old) rows.get(old)?.classList.toggle("selected", old === line);
    this.line = line;
  }

  /** Selects a line and brings it into view. @param {Line} line */
  goTo(line) {
    const { list } = this.view;
    this.view.hold();
    // Whoever is at the end has no line at the top yet.
    list.render(false);
    this.set(line);
    list.reveal(line);
  }

  /** @param {number} by lines */
  move(by) {
    if (!this.find(by, ANY) && by > 0) this.view.toEnd();
  }

  /**
   * Goes to the next line of a kind, among those that are here.
   * @param {number} direction
   * @param {Wanted} wanted
   */
  find(direction, wanted) {
    const line = findHere(this.view.model.store.lines, this.#index(direction), direction, wanted);
    if (line) this.goTo(line);
    return line;
  }

  /** Where the eye is: the selected line, or just outside the view. @param {number} direction */
  #index(direction) {
    const { list, model } = this.view;
    const { store, isFollowing } = model;
    const at = this.line ? store.indexOf(this.line) : -1;
    if (at >= 0) return at;
    if (isFollowing || !list.anchor) return store.lines.length;
    return store.indexOf(list.anchor.line) - direction;
  }

  /** Opens what the line holds, or folds what belongs to it. */
  toggleOpen() {
    const { line } = this;
    if (!line) return;
    if (line.nFollowers) this.change(line, { isFolded: !line.isFolded });
    else this.change(line, { isOpen: !line.isOpen });
  }

  /** Folds all stack traces, or unfolds them. */
  foldAll() {
    const heads = this.view.model.store.lines.filter((line) => line.nFollowers);
    const isFolded = heads.some((head) => !head.isFolded);
    for (const head of heads) this.change(head, { isFolded });
  }

  /** @param {Line} line @param {{ isFolded?: boolean, isOpen?: boolean }} change */
  change(line, change) {
    this.view.hold();
    Object.assign(line, change, { isStale: true });
  }

  /** The line that stays where it is when the filter changes. @returns {Anchor | null} */
  get anchor() {
    const { list, model, scroller } = this.view;
    if (model.isFollowing) return null;
    const { line } = this;
    const row = line && list.rows.get(line);
    if (!row) return list.anchor;
    const offset = row.getBoundingClientRect().top - scroller.getBoundingClientRect().top;
    return offset >= 0 && offset < list.height ? { line, offset } : list.anchor;
  }
}
