// @ts-check
// Palette: to a source by a few letters of its name.
import { byId, element } from "../list/dom.js";
import { fuzzyFind } from "../text/fuzzy.js";

const MAX_SHOWN = 50;

export class Palette {
	dialog = byId("palette", HTMLDialogElement);
	input = byId("palette-input", HTMLInputElement);
	list = byId("palette-list", HTMLElement);
	#at = 0;
	/** @type {string[]} */ #names = [];

	/** @param {() => Iterable<SourceStatus>} sources @param {(name: string, how: How) => void} open */
	constructor(sources, open) {
		this.sources = sources;
		this.choose = (/** @type {number} */ at, /** @type {How} */ how) => {
			const name = this.#names[at];
			if (!name) return;
			this.dialog.close();
			open(name, how);
		};
		this.input.addEventListener("input", () => this.#find());
		this.input.addEventListener("keydown", (event) => this.#press(event));
		this.list.addEventListener("click", (event) => {
			const option = event.target instanceof Element && event.target.closest("[role=option]");
			if (option) this.choose([...this.list.children].indexOf(option), event.altKey ? "merge" : event.shiftKey ? "split" : "open");
		});
		this.dialog.addEventListener("click", (event) => event.target === this.dialog && this.dialog.close());
	}

	show() {
		this.input.value = "";
		this.dialog.showModal();
		this.#find();
	}

	#find() {
		const found = fuzzyFind(this.input.value, this.sources(), MAX_SHOWN);
		this.#names = found.map(({ item }) => item.name);
		this.list.replaceChildren(...found.map(({ item, places }, i) => {
			const option = element("div", "option");
			option.role = "option";
			option.id = `option-${i}`;
			Array.from(item.name).forEach((_, at) => {
				const letter = item.name[at];
				option.append(places.includes(at) ? element("b", "", letter) : letter);
			});
			return option;
		}));
		if (!found.length) this.list.append(element("p", "empty", "no source of such a name"));
		this.#select(0);
	}

	/** @param {number} at */
	#select(at) {
		this.#at = Math.max(0, Math.min(this.#names.length - 1, at));
		[...this.list.children].forEach((option, i) => (option.ariaSelected = String(i === this.#at)));
		this.input.setAttribute("aria-activedescendant", this.#names.length ? `option-${this.#at}` : "");
		this.list.children[this.#at]?.scrollIntoView({ block: "nearest" });
	}

	/** @param {KeyboardEvent} event */
	#press(event) {
		const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 }[event.key];
		if (step) this.#select(this.#at + step);
		else if (event.key === "Enter") this.choose(this.#at, event.altKey || event.ctrlKey ? "merge" : event.shiftKey ? "split" : "open");
		else return;
		event.preventDefault();
	}
}
