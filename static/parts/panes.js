// Panes: the logs side by side, and which of them keys and tools act on.
import { $ } from "../list/dom.js";
import { LogView } from "../list/log-view.js";
import { globOf } from "../protocol.js";
import { renameUrl, writeUrl } from "./url.js";

export class Panes {
  /** @type {LogView[]} */ all = [];
  /** @type {LogView | undefined} */ chosen;

  /** @param {Host} host @param {() => void} changed there are others */
  constructor(host, changed) {
    this.host = host;
    this.changed = changed;
    customElements.define("tailcast-log", LogView);
    // A page left by a link is kept by the browser for the way back, and with it whatever it holds
    // open.
    addEventListener("pagehide", () => {
      for (const connection of this.#open) connection.stop();
    });
    addEventListener("pageshow", ({ persisted }) => {
      if (persisted) for (const connection of this.#open) connection.start();
    });
    document.addEventListener("visibilitychange", () => {
      for (const { model } of this.all) if (model.isFollowing && !document.hidden) model.unread = 0;
      host.stateChanged();
    });
  }

  get #open() {
    const connections = this.all.map(({ model }) => model.connection);
    return connections.filter(({ state }) => state.kind !== "ended");
  }

  /**
   * Shows other logs.
   * @param {string[]} names
   * @param {URLSearchParams} query of the first one
   * @param {Filter} filter
   * @param {string} line that a link means
   */
  replace([first, ...others], query, filter, line) {
    for (const pane of this.all.splice(0)) pane.remove();
    this.chosen = undefined;
    if (first) this.#add(first, query, filter, line);
    for (const name of others) this.#add(name, new URLSearchParams(), filter, "");
    this.#show();
  }

  /** One more. @param {string} name @param {Filter} filter */
  add(name, filter) {
    this.#add(name, new URLSearchParams(), filter, "");
    this.#show();
  }

  /**
   * @param {string} name
   * @param {URLSearchParams} query
   * @param {Filter} filter
   * @param {string} line
   */
  #add(name, query, filter, line) {
    const pane = new LogView(this.host, name, query, filter, line);
    for (const event of ["focusin", "pointerdown"])
      pane.addEventListener(event, () => this.#choose(pane));
    this.all.push(pane);
    $("panes").append(pane);
    this.#choose(pane);
  }

  /** @param {LogView} pane */
  close(pane) {
    pane.remove();
    this.all = this.all.filter((other) => other !== pane);
    renameUrl(this.all[0].name);
    this.#choose(this.all[0]);
    this.#show();
  }

  /** @param {LogView} pane */
  #choose(pane) {
    this.chosen = pane;
    for (const other of this.all) other.classList.toggle("chosen", other === pane);
    this.host.stateChanged();
  }

  #show() {
    const names = this.all.map(({ name }) => name);
    $("panes").classList.toggle("split", names.length > 1);
    $("name").textContent = names.map((name) => name.replace(/^\{|\}$/g, "")).join(" | ");
    writeUrl({}, { panes: names.slice(1).join("|") });
    this.changed();
    this.host.stateChanged();
  }

  /** To the pane, and from there to the next one. */
  focusNext() {
    const at = this.chosen ? this.all.indexOf(this.chosen) : 0;
    const isThere = this.chosen?.contains(document.activeElement);
    this.all[(at + (isThere ? 1 : 0)) % this.all.length]?.scroller.focus();
  }

  /** To the pane, wherever it stands. */
  focus() {
    this.chosen?.scroller.focus({ preventScroll: true });
  }

  /** New lines that nobody has seen. */
  get unread() {
    const unseen = this.all.filter(({ model }) => !model.isFollowing || document.hidden);
    return unseen.reduce((sum, { model }) => sum + (model.unread ?? 0), 0);
  }

  /** The chosen pane's name with one more source, or one less. @param {string} source */
  mergedName(source) {
    const sources = this.chosen?.sources ?? [];
    const isThere = sources.includes(source);
    const next = isThere ? sources.filter((name) => name !== source) : [...sources, source];
    return next.length > 1 ? globOf(next) : (next[0] ?? source);
  }

  get sources() {
    return this.all.flatMap((pane) => pane.sources);
  }

  /** @param {Filter} filter */
  setFilter(filter) {
    return Promise.all(
      this.all.map(({ model, selection }) => model.setFilter(filter, selection.anchor)),
    );
  }

  /** All lines look different. */
  refresh() {
    for (const pane of this.all) pane.refresh();
  }

  /** Some do. */
  schedule() {
    for (const pane of this.all) pane.schedule();
  }
}
