// Search: the bar with its pattern, as filter or as highlight, and the levels.
import { $, element, isPressed, setPressed } from "../list/dom.js";
import { Refusal } from "../protocol.js";
import { toRegExp } from "../text/pattern.js";
import { writeUrl } from "./url.js";

/**
 * What is searched.
 * @typedef {object} Searched
 * @property {(filter: Filter) => Promise<unknown>} setFilter rejects a pattern that is none
 * @property {() => void} searchChanged what passes, or is highlighted, is another
 * @property {() => void} searchDone the field is left
 */

const LEVELS = ["", "debug", "info", "warn", "error", "fatal"];

export class Search {
  /** @type {Filter} */ filter = { grep: "", exclude: "", level: "" };
  /** What is highlighted and does not filter. */ highlighted = "";
  #field = $("search", HTMLInputElement);

  /** @param {Searched} searched */
  constructor(searched) {
    this.searched = searched;
    $("levels").append(
      ...LEVELS.map((value) => Object.assign(element("button", "", value || "all"), { value })),
    );
    $("levels").addEventListener("click", ({ target }) => {
      if (!(target instanceof HTMLButtonElement)) return;
      void this.set({ level: target.value === this.filter.level ? "" : target.value });
    });
    $("find").addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#submit();
    });
    this.#field.addEventListener("search", () => {
      if (!this.#field.value) void this.#apply();
    });
  }

  /** What a hit is, in the server's words. */
  get pattern() {
    return this.highlighted || this.filter.grep;
  }

  /** And in the browser's; none where nothing is searched for. */
  get highlight() {
    return toRegExp(this.pattern);
  }

  /** The field already has the focus. */
  get isFocused() {
    return document.activeElement === this.#field;
  }

  focus() {
    this.#field.select();
  }

  /** Another URL is shown. @param {Filter} filter @param {string} highlighted */
  read(filter, highlighted) {
    Object.assign(this, { filter, highlighted });
    this.#show();
  }

  /** @param {Partial<Filter>} change @param {string} [highlighted] */
  async set(change, highlighted = this.highlighted) {
    const filter = { ...this.filter, ...change };
    try {
      if (JSON.stringify(filter) !== JSON.stringify(this.filter))
        await this.searched.setFilter(filter);
    } catch (error) {
      return this.#showError(Refusal.from(error).message);
    }
    Object.assign(this, { filter, highlighted });
    writeUrl({ ...filter }, { highlight: highlighted });
    this.#show();
    this.searched.searchChanged();
  }

  /** Takes the search away. @returns whether there was one */
  clear() {
    if (!this.#field.value && !this.highlighted) return false;
    this.#field.value = "";
    void this.set({ grep: "", exclude: "" }, "");
    return true;
  }

  /** A pattern is a filter, or only highlighted. */
  flipMode() {
    this.#flip("mode", "invert");
  }

  /** What matches passes, or is left out. */
  flipInverse() {
    this.#flip("invert", "mode");
  }

  /** @param {string} id @param {string} other */
  #flip(id, other) {
    setPressed(id, !isPressed(id));
    setPressed(other, false);
    if (this.#field.value) void this.#apply();
  }

  async #submit() {
    await this.#apply();
    if (!$("search-error").textContent) this.searched.searchDone();
  }

  /** Applies what stands in the field. */
  #apply() {
    const text = this.#field.value;
    if (isPressed("invert")) return this.set({ exclude: text, grep: "" }, "");
    const exclude = $("chip").hidden ? "" : this.filter.exclude;
    if (isPressed("mode")) return this.set({ grep: "", exclude }, text);
    return this.set({ grep: text, exclude }, "");
  }

  #show() {
    const { grep, exclude, level } = this.filter;
    const isInverse = !grep && !this.highlighted && exclude !== "";
    this.#field.value = this.highlighted || grep || exclude;
    setPressed("mode", this.highlighted !== "");
    setPressed("invert", isInverse);
    $("chip").hidden = !exclude || isInverse;
    $("chip").textContent = `not: ${exclude} ×`;
    for (const button of $("levels").querySelectorAll("button"))
      button.ariaPressed = String(button.value === level);
    this.#showError("");
  }

  /** @param {string} text */
  #showError(text) {
    $("search-error").textContent = text;
    this.#field.ariaInvalid = String(text !== "");
  }
}
