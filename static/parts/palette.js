// Palette: to a source by a few letters of its name.
import { $, element, targetOf } from "../list/dom.js";
import { fuzzyFind } from "./fuzzy.js";

/** @typedef {{ altKey: boolean, ctrlKey: boolean, shiftKey: boolean }} Modifiers */

const MAX_SHOWN = 50;
/** @type {Record<string, number>} */
const STEPS = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 };

export class Palette {
  #at = 0;
  #input = $("palette-input", HTMLInputElement);
  #list = $("palette-list");

  /** @param {() => Iterable<string>} names @param {(name: string, how: How) => void} open */
  constructor(names, open) {
    this.names = names;
    this.open = open;
    this.#input.addEventListener("input", () => this.#find());
    this.#input.addEventListener("keydown", (event) => {
      if (STEPS[event.key]) this.#select(this.#at + STEPS[event.key]);
      else if (event.key === "Enter") this.#choose(this.#list.children[this.#at], event);
      else return;
      event.preventDefault();
    });
    this.#list.addEventListener("click", (event) =>
      this.#choose(targetOf(event).closest("[role=option]"), event),
    );
  }

  show() {
    this.#input.value = "";
    $("palette", HTMLDialogElement).showModal();
    this.#find();
  }

  #find() {
    const found = fuzzyFind(this.#input.value, this.names(), MAX_SHOWN);
    const options = found.map((name, i) => {
      const option = element("div", "option", name);
      return Object.assign(option, { role: "option", id: `option-${i}` });
    });
    this.#list.replaceChildren(...options);
    this.#select(0);
  }

  /** @param {number} at */
  #select(at) {
    const options = [...this.#list.children];
    this.#at = Math.max(0, Math.min(options.length - 1, at));
    options.forEach((option, i) => (option.ariaSelected = String(i === this.#at)));
    const active = options.length ? `option-${this.#at}` : "";
    this.#input.setAttribute("aria-activedescendant", active);
    options[this.#at]?.scrollIntoView({ block: "nearest" });
  }

  /** @param {Element | null | undefined} option @param {Modifiers} modifiers */
  #choose(option, { altKey, ctrlKey, shiftKey }) {
    $("palette", HTMLDialogElement).close();
    const how = altKey || ctrlKey ? "merge" : shiftKey ? "split" : "open";
    if (option) this.open(option.textContent, how);
  }
}
