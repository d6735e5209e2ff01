// @ts-check
// Older: the way back, page by page. Of several sources each has a stock of lines that were fetched and
// not yet shown; the latest of all comes next, which is only known while no stock is empty.
import { Line } from "./line.js";

/** @import { Page } from "../protocol.js" */
/** @import { LineStore } from "./line-store.js" */
/**
 * @typedef {object} Stock of one source
 * @property {Line[]} lines oldest first
 * @property {string | null} place where the next page ends; none before the oldest line
 * @property {string} shown the place is after this line, which is there already
 */

const PAGE_LINES = 1000;
/** A filter that lets nothing pass is not searched further than this at once. */
const MAX_EMPTY_PAGES = 20;

export class Older {
  /** @type {Map<string, Stock>} */ #stocks = new Map();

  /** @param {LineStore} store @param {(source: string, before: string, lines: number) => Promise<Page>} fetchPage */
  constructor(store, fetchPage) {
    this.store = store;
    this.fetchPage = fetchPage;
  }

  /** After the first lines of the store have changed otherwise than by what came from here. */
  forget() {
    this.#stocks.clear();
  }

  /** Puts a page before the store's lines. @param {() => boolean} isWanted still, when it has come @returns {Promise<boolean>} whether there is more */
  async load(isWanted) {
    const stocks = [...this.store.places.keys()].map((source) => [source, this.#stockOf(source)]);
    await Promise.all(stocks.map(([source, stock]) => this.#fill(/** @type {string} */ (source), /** @type {Stock} */ (stock))));
    if (!isWanted()) return true;
    const lines = this.store.isMerged ? this.#latest() : ([...this.#stocks.values()][0]?.lines.splice(0) ?? []);
    this.store.prepend(lines);
    for (const [source, stock] of this.#stocks) {
      const before = stock.lines.at(-1)?.cursor ?? (stock.shown ? null : stock.place);
      this.store.placesOf(source).first = before;
    }
    return [...this.#stocks.values()].some((stock) => stock.lines.length > 0 || stock.place !== null);
  }

  /** @param {string} source */
  #stockOf(source) {
    let stock = this.#stocks.get(source);
    if (!stock) {
      const place = this.store.places.get(source)?.first ?? null;
      // Where the place is not known, that after the first line is, and the line is taken out again.
      const first = place ? null : this.store.lines.find((line) => line.source === source && line.kind === "line");
      stock = { lines: [], place: place ?? first?.cursor ?? null, shown: first?.cursor ?? "" };
      this.#stocks.set(source, stock);
    }
    return stock;
  }

  /** @param {string} source @param {Stock} stock */
  async #fill(source, stock) {
    for (let i = 0; i < MAX_EMPTY_PAGES && !stock.lines.length && stock.place; i++) {
      const page = await this.fetchPage(source, stock.place, PAGE_LINES);
      const lines = Line.all(page.lines);
      if (stock.shown && lines.at(-1)?.cursor === stock.shown) lines.pop();
      const first = lines[0]?.cursor ?? "";
      stock.shown = page.start ? "" : first;
      stock.place = page.begin ? null : (page.start ?? (first || null));
      stock.lines = lines;
      if (this.store.isMerged) this.#order(source, lines);
    }
  }

  /** Each gets its own time, or that of the line before it, and none a later one than what follows. @param {string} source @param {Line[]} lines */
  #order(source, lines) {
    let reached = NaN;
    for (const line of lines) {
      const own = line.moment;
      reached = line.order = Number.isNaN(own) || own < reached ? reached : own;
    }
    let most = this.store.lines.find((line) => line.source === source)?.order ?? Infinity;
    for (const line of lines.toReversed()) most = line.order = line.order <= most ? line.order : most;
  }

  /** The latest lines, down to where one stock is empty and has more behind it. */
  #latest() {
    /** @type {Line[]} */ const taken = [];
    const stocks = [...this.#stocks.values()];
    while (taken.length < PAGE_LINES && stocks.every((stock) => stock.lines.length || !stock.place)) {
      /** @type {Stock | null} */ let latest = null;
      for (const stock of stocks) {
        const line = stock.lines.at(-1);
        if (line && !(latest && line.order < /** @type {Line} */ (latest.lines.at(-1)).order)) latest = stock;
      }
      const line = latest?.lines.pop();
      if (!line) break;
      taken.push(line);
    }
    return taken.reverse();
  }
}
