// @ts-check
// Palette: to a source by a few letters of its name.
import { $, element } from "../list/dom.js";
import { fuzzyFind } from "./fuzzy.js";

const MAX_SHOWN = 50;
/** @type {Record<string, number>} */
const STEPS = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 };

export class Palette {
  #at = 0;

  /** @param {() => Iterable<string>} names @param {(name: string, how: How) => void} open */
  constructor(names, open) {
    const input = $("palette-input");
    const list = $("palette-list");
    const select = (at) => {
      const { length } = list.children;
      this.#at = Math.max(0, Math.min(length - 1, at));
      [...list.children].forEach((option, i) => (option.ariaSelected = String(i === this.#at)));
      input.setAttribute("aria-activedescendant", length ? `option-${this.#at}` : "");
      list.children[this.#at]?.scrollIntoView({ block: "nearest" });
    };
    this.find = () => {
      const found = fuzzyFind(input.value, names(), MAX_SHOWN);
      list.replaceChildren(
        ...found.map((name, i) =>
          Object.assign(element("div", "option", name), { role: "option", id: `option-${i}` }),
        ),
      );
      select(0);
    };
    const choose = (option, { altKey, ctrlKey, shiftKey }) => {
      $("palette").close();
      if (option)
        open(option.textContent, altKey || ctrlKey ? "merge" : shiftKey ? "split" : "open");
    };
    input.addEventListener("input", this.find);
    input.addEventListener("keydown", (event) => {
      if (STEPS[event.key]) select(this.#at + STEPS[event.key]);
      else if (event.key === "Enter") choose(list.children[this.#at], event);
      else return;
      event.preventDefault();
    });
    list.addEventListener("click", (event) => choose(event.target.closest("[role=option]"), event));
  }

  show() {
    $("palette-input").value = "";
    $("palette").showModal();
    this.find();
  }
}
