// Finding: to the next line of a kind, to a time, or to the first line, wherever in the log it is.
import { findBeyond } from "../model/finder.js";
import { firstAfter } from "../stream/pages.js";
import { HEAD_PX } from "./virtual-list.js";

/** A target that does not come is let go of. */
const TARGET_MS = 3000;

export class Finding {
  #search = new AbortController();

  /** @param {LogView} view */
  constructor(view) {
    this.view = view;
  }

  /** Gives up what is being searched. */
  stop() {
    this.#search.abort();
  }

  /** @param {number} direction @param {Wanted} wanted */
  async next(direction, wanted) {
    const { host, model, selection } = this.view;
    if (selection.find(direction, wanted)) return;
    this.#search.abort();
    const { signal } = (this.#search = new AbortController());
    const record = await findBeyond(model, direction, wanted, signal);
    if (signal.aborted) return;
    if (!record) return host.toast(`no ${direction > 0 ? "later" : "earlier"} ${wanted.what}`);
    const { cursor, time } = record;
    await model.reopen(model.store.isMerged ? { since: time } : { from: cursor }, {
      cursor,
      offset: -1,
    });
  }

  /** The oldest line there is. */
  async first() {
    const { list, model } = this.view;
    const { backfill, store } = model;
    this.view.hold();
    if (backfill.isAtBegin && !backfill.isCleared) list.moveTo(store.lines[0], HEAD_PX);
    else await model.reopen({ tail: "all" }, { cursor: "", offset: HEAD_PX });
  }

  /** @param {string} since as the server reads times */
  async time(since) {
    const { host, model, name } = this.view;
    if (model.store.isMerged) return model.reopen({ since }, { cursor: "", offset: HEAD_PX });
    const record = await firstAfter(name, { ...model.filter, since });
    if (!record) return host.toast("no line since then");
    await model.reopen({ from: record.cursor }, { cursor: record.cursor, offset: -1 });
  }
}

/** A line that was asked for is put where it shall be, once it has come. */
export class Aim {
  /** @type {(Target & { until: number }) | null} */ #target = null;

  /** @param {LineStore} store @param {VirtualList} list */
  constructor(store, list) {
    this.store = store;
    this.list = list;
  }

  /** @param {Target | null} target none: whatever there is */
  at(target) {
    this.#target = target && { ...target, until: Date.now() + TARGET_MS };
  }

  /** The line is still waited for. */
  get isPending() {
    return this.#target !== null;
  }

  /** Puts the list there. @returns the line, when it has come */
  take() {
    const target = this.#target;
    if (!target) return null;
    const { boundary, lines } = this.store;
    const offset = target.offset < 0 ? Math.round(this.list.height / 3) : target.offset;
    const line = lines.find(({ cursor }) => cursor === target.cursor);
    if (line || (!this.list.anchor && lines.length))
      this.list.moveTo(line ?? boundary ?? lines[lines.length - 1], offset);
    if (line || !target.cursor || Date.now() > target.until) this.#target = null;
    return line ?? null;
  }
}
