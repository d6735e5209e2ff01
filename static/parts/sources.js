// @ts-check
// <nav id=sources>: all sources in their folders, as they are now. Of thousands only those in view are elements.
import { byId, element } from "../list/dom.js";
import { logPath, root } from "../protocol.js";
import { size, span } from "../text/format.js";
import { printable } from "../text/visible.js";

const ACTIVE_MS = 2500;
const RETRY_MS = 5000;

export class Sources {
	nav = byId("sources", HTMLElement);
	/** @type {Map<string, SourceStatus>} */ all = new Map();
	isKnown = false;
	#list = element("div", "list");
	#box = element("div", "box");
	/** @type {({ folder: string } | { source: SourceStatus })[]} */ #items = [];
	/** @type {Set<string>} */ #closed = new Set();
	/** @type {EventSource | null} */ #events = null;
	#isDue = false;

	/** @param {{ open: (name: string, how: How) => void, shown: () => string[], known: () => void, jump: () => void }} host */
	constructor(host) {
		this.host = host;
		const jump = element("button", "jump", "Jump to…", element("kbd", "", "Ctrl K"));
		jump.addEventListener("click", host.jump);
		this.#list.append(this.#box);
		this.nav.append(jump, this.#list);
		this.#list.addEventListener("scroll", () => this.render(), { passive: true });
		this.#box.addEventListener("click", (event) => this.#click(event));
		new ResizeObserver(() => this.render()).observe(this.#list);
		document.addEventListener("visibilitychange", () => this.#listen());
		setInterval(() => this.render(), 5000);
		this.#listen();
	}

	/** A page that nobody sees needs no list, and browsers have few connections. */
	#listen() {
		if (document.hidden || this.#events) {
			if (document.hidden) this.#events?.close();
			if (document.hidden) this.#events = null;
			return;
		}
		const events = (this.#events = new EventSource(new URL("api/sources", root)));
		const on = (/** @type {string} */ name, /** @type {(data: any) => void} */ take) =>
			events.addEventListener(name, (event) => {
				take(JSON.parse(event.data));
				this.#rebuild(name !== "changed");
			});
		on("sources", ({ sources }) => {
			const before = this.all;
			this.all = new Map(sources.map((source) => [source.name, { ...before.get(source.name), ...source }]));
			this.isKnown = true;
			this.host.known();
		});
		on("added", (source) => this.all.set(source.name, { ...source, isNew: true, at: Date.now() }));
		on("removed", ({ name }) => this.all.delete(name));
		on("changed", (source) => this.all.set(source.name, { ...this.all.get(source.name), ...source, at: Date.now() }));
		events.onerror = () => {
			if (events.readyState !== EventSource.CLOSED) return;
			this.#events = null;
			setTimeout(() => this.#listen(), RETRY_MS);
		};
	}

	#isStale = true;

	/** @param {boolean} isOther which there are has changed */
	#rebuild(isOther) {
		this.#isStale ||= isOther;
		if (this.#isDue) return;
		this.#isDue = true;
		requestAnimationFrame(() => {
			this.#isDue = false;
			if (this.#isStale) this.#arrange();
			this.render();
		});
	}

	#arrange() {
		this.#isStale = false;
		const folderOf = (name) => name.slice(0, name.lastIndexOf("/") + 1);
		const sorted = [...this.all.values()].sort((a, b) => {
			const [x, y] = [folderOf(a.name), folderOf(b.name)];
			return x < y ? -1 : x > y ? 1 : a.name.localeCompare(b.name, "en", { numeric: true });
		});
		this.#items = [];
		let folder = "";
		for (const source of sorted) {
			const own = folderOf(source.name);
			if (own !== folder) this.#items.push({ folder: own });
			folder = own;
			if (!this.#closed.has(own)) this.#items.push({ source });
		}
	}

	render() {
		const rowPx = parseFloat(getComputedStyle(this.nav).getPropertyValue("--row")) || 30;
		this.#box.style.height = `${this.#items.length * rowPx}px`;
		const from = Math.max(0, Math.floor(this.#list.scrollTop / rowPx) - 5);
		const shown = this.#items.slice(from, from + Math.ceil(this.#list.clientHeight / rowPx) + 10);
		const focused = document.activeElement?.getAttribute("data-key");
		this.#box.replaceChildren(...shown.map((item, i) => {
			const row = "folder" in item ? this.#folderRow(item.folder) : this.#sourceRow(item.source);
			row.style.top = `${(from + i) * rowPx}px`;
			return row;
		}));
		if (focused) /** @type {HTMLElement | null} */ (this.#box.querySelector(`[data-key="${CSS.escape(focused)}"]`))?.focus({ preventScroll: true });
	}

	/** @param {string} folder */
	#folderRow(folder) {
		const isOpen = !this.#closed.has(folder);
		const button = element("button", "folder", `${isOpen ? "▾" : "▸"} ${printable(folder)}`);
		button.dataset.key = button.dataset.folder = folder;
		button.ariaExpanded = String(isOpen);
		return button;
	}

	/** @param {SourceStatus} source */
	#sourceRow({ name, size: bytes, modified, at = 0, isNew }) {
		const now = Date.now();
		const shown = this.host.shown();
		const link = element("a", "", element("i"), element("span", "name", printable(name.slice(name.lastIndexOf("/") + 1))));
		link.href = new URL(logPath(name), root).href;
		link.title = printable(name);
		link.dataset.key = name;
		const age = modified ? span(Math.max(0, now - Date.parse(modified))) : "";
		link.append(element("small", "", `${size(bytes)} · ${age}`));
		const row = element("div", "source-row", link);
		if (shown.includes(name)) link.ariaCurrent = "page";
		if (now - at < ACTIVE_MS) row.classList.add("active");
		if (isNew) row.classList.add("new");
		for (const [how, sign, words] of [["split", "◫", "Show beside"], ["merge", "+", "Merge by time with"]]) {
			const button = element("button", "icon", sign);
			button.dataset.how = how;
			button.dataset.name = name;
			button.dataset.key = how + name;
			button.title = button.ariaLabel = `${words} ${how === "merge" ? "what is shown: " : ""}${name}`;
			row.append(button);
		}
		return row;
	}

	/** @param {MouseEvent} event */
	#click(event) {
		const target = event.target instanceof Element ? event.target.closest("a, button") : null;
		if (!(target instanceof HTMLElement) || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
		const { folder, how, name, key } = target.dataset;
		event.preventDefault();
		if (folder !== undefined) {
			if (!this.#closed.delete(folder)) this.#closed.add(folder);
			this.#rebuild(true);
		} else if (how) this.host.open(name ?? "", /** @type {How} */ (how));
		else this.host.open(key ?? "", "open");
	}
}
