// Older: the way back, page by page. Of several sources each has a stock of lines that were fetched
// and not yet shown; the latest of all comes next, which is only known while no stock is empty.
import { Line } from "./line.js";

/**
 * Of one source.
 * @typedef {object} Stock
 * @property {Line[]} lines
 * @property {string | null} place where the next page ends; none at the beginning
 * @property {string | null} shown it is after this line, which is there already
 */

const PAGE_LINES = 1000;
/** Where a filter lets nothing pass, no more are asked for at once. */
const MAX_EMPTY_PAGES = 20;

export class Older {
  /** @type {Map<string, Stock>} */ #stocks = new Map();

  /** @param {LineStore} store @param {FetchOlder} fetchPage */
  constructor(store, fetchPage) {
    this.store = store;
    this.fetchPage = fetchPage;
  }

  /** The first lines of the store are not those that came from here. */
  forget() {
    this.#stocks.clear();
  }

  /**
   * Puts a page before the store's lines, if it is still wanted when it has come.
   * @param {() => boolean} isWanted
   * @returns {Promise<boolean>} whether there is more
   */
  async load(isWanted) {
    const { store } = this;
    await Promise.all([...store.places.keys()].map((source) => this.#fill(source)));
    if (!isWanted()) return true;
    const stocks = [...this.#stocks.values()];
    store.prepend(
      store.isMerged ? this.#latest(stocks) : stocks.flatMap((stock) => stock.lines.splice(0)),
    );
    for (const [source, { lines, shown, place }] of this.#stocks) {
      store.placesOf(source).first = lines.at(-1)?.cursor ?? (shown ? null : place);
    }
    return stocks.some((stock) => stock.lines.length || stock.place);
  }

  /** @param {string} source */
  async #fill(source) {
    let stock = this.#stocks.get(source);
    if (!stock) {
      const place = this.store.places.get(source)?.first ?? null;
      // Where the place is not known, that after the first line is; the line is taken out again.
      const shown = place ? null : (this.#firstOf(source)?.cursor ?? null);
      stock = { lines: [], place: place ?? shown, shown };
      this.#stocks.set(source, stock);
    }
    for (let i = 0; i < MAX_EMPTY_PAGES && !stock.lines.length && stock.place; i++) {
      const page = await this.fetchPage(source, stock.place, PAGE_LINES);
      const lines = Line.all(page.lines);
      const first = lines[0]?.cursor ?? null;
      if (stock.shown && lines.at(-1)?.cursor === stock.shown) lines.pop();
      stock.shown = page.start ? null : first;
      stock.place = page.begin ? null : (page.start ?? first);
      stock.lines = lines;
      if (this.store.isMerged) this.#order(source, lines);
    }
  }

  /** @param {string} source */
  #firstOf(source) {
    return this.store.lines.find((line) => line.source === source && line.note === undefined);
  }

  /**
   * Each has its own time, or that of the line before it, and none a later one than what follows.
   * @param {string} source
   * @param {Line[]} lines
   */
  #order(source, lines) {
    let reached = NaN;
    for (const line of lines)
      reached = line.order =
        !Number.isNaN(line.moment) && !(line.moment < reached) ? line.moment : reached;
    let most = this.#firstOf(source)?.order ?? Infinity;
    for (const line of lines.toReversed())
      most = line.order = line.order <= most ? line.order : most;
  }

  /**
   * The latest lines, down to where one stock is empty and has more behind it.
   * @param {Stock[]} stocks
   */
  #latest(stocks) {
    /** @param {Stock} stock */
    const orderOf = ({ lines }) => lines.at(-1)?.order ?? NaN;
    /** @type {Line[]} */ const taken = [];
    while (
      taken.length < PAGE_LINES &&
      stocks.every(({ lines, place }) => lines.length || !place)
    ) {
      const full = stocks.filter(({ lines }) => lines.length);
      if (!full.length) break;
      const latest = full.reduce((a, b) => (orderOf(b) >= orderOf(a) ? b : a)).lines.pop();
      if (latest) taken.push(latest);
    }
    return taken.reverse();
  }
}

/**
 * One fetch at a time. What comes of it is dropped where it would not lie beside what is here.
 */
export class Backfill {
  isLoading = false;
  /** Before the first line here there is no other. */ isAtBegin = false;
  /** What was here was taken away, and can be fetched again. */ isCleared = false;
  error = "";
  #epoch = 0;
  #older;

  /** @param {LineStore} store @param {FetchOlder} fetchPage */
  constructor(store, fetchPage) {
    this.#older = new Older(store, fetchPage);
  }

  /** What is on its way is not wanted any more. */
  cancel() {
    this.#epoch++;
    this.isLoading = false;
  }

  /** The first line here is another one. */
  forget() {
    this.cancel();
    this.#older.forget();
    this.isAtBegin = this.isCleared = false;
  }

  /** All lines were taken away. */
  clear() {
    this.forget();
    this.isAtBegin = this.isCleared = true;
  }

  /** Puts a page before the first line. @returns whether it is there, or cannot be had */
  async load() {
    if (this.isLoading) return false;
    const epoch = this.#epoch;
    Object.assign(this, { isLoading: true, isAtBegin: false, isCleared: false, error: "" });
    let isAtBegin = false;
    let error = "";
    try {
      isAtBegin = !(await this.#older.load(() => epoch === this.#epoch));
    } catch (failure) {
      error = failure instanceof Error ? failure.message : String(failure);
    }
    if (epoch !== this.#epoch) return false;
    Object.assign(this, { isLoading: false, isAtBegin, error });
    return true;
  }
}
