// @ts-check
// The page: its panes, and what the tools around them do to them.
import { byId, element } from "./list/dom.js";
import { LogView } from "./list/log-view.js";
import { ofLevel, ofPattern } from "./model/finder.js";
import { Marks } from "./model/marks.js";
import { asNdjson, asText, copy, download, downloadText } from "./parts/export.js";
import { listenToKeys } from "./parts/keys.js";
import { Palette } from "./parts/palette.js";
import { fragment, keepSettings, readSettings, writeUrl } from "./parts/settings.js";
import { Sources } from "./parts/sources.js";
import { Announcer, showStatus } from "./parts/status.js";
import { globOf, logPath, logUrl, root } from "./protocol.js";
import { plural } from "./text/format.js";
import { toRegExp } from "./text/pattern.js";

const LEVELS = ["", "debug", "info", "warn", "error", "fatal"];
const TOAST_MS = 4000;

class Page {
	settings = readSettings();
	/** @type {Filter} */ filter = { grep: "", exclude: "", level: "" };
	/** What is highlighted while it does not filter. */ highlighted = "";
	/** @type {LogView[]} */ panes = [];
	/** @type {LogView | undefined} */ pane;
	main = byId("panes", HTMLElement);
	search = byId("search", HTMLInputElement);
	#toast = 0;
	marks = new Marks(() => writeUrl({}, { marks: this.marks.cursors.join(",") }));
	/** @type {Look} */ look = { highlight: null, time: "local", isWrapped: false, isMerged: false, isMarked: this.marks.has, hue: () => 0 };

	constructor() {
		customElements.define("tailcast-log", LogView);
		// A relative base would move with the page's path.
		document.querySelector("base")?.setAttribute("href", root.pathname);
		this.#readUrl();
		this.sources = new Sources({
			open: (name, how) => this.open(name, how),
			shown: () => this.panes.flatMap((pane) => pane.sources),
			known: () => this.#openSome(),
			jump: () => this.palette.show(),
		});
		this.palette = new Palette(() => this.sources.all.values(), (name, how) => this.open(name, how));
		new Announcer(() => this.pane?.model);
		this.#bindTools();
		listenToKeys((action) => this.act(action));
		addEventListener("popstate", () => this.#readUrl());
		document.addEventListener("visibilitychange", () => this.#seen());
		setInterval(() => this.#tick(), 1000);
	}

	// The URL.

	#readUrl() {
		const query = new URLSearchParams(location.search);
		const hash = fragment();
		this.filter = { grep: query.get("grep") ?? "", exclude: query.get("exclude") ?? "", level: query.get("level") ?? "" };
		this.highlighted = hash.get("highlight") ?? "";
		this.marks.set((hash.get("marks") ?? "").split(","));
		const path = location.pathname.slice(root.pathname.length);
		const name = path.startsWith("logs/") ? path.slice(5).split("/").map(decodeURIComponent).join("/") : "";
		const names = [name, ...(hash.get("panes") ?? "").split("|")].filter(Boolean);
		this.#showLook();
		this.#showFilter();
		for (const pane of this.panes.splice(0)) pane.remove();
		this.pane = undefined;
		names.forEach((name, i) => this.#addPane(name, i ? new URLSearchParams() : query, i ? "" : (hash.get("line") ?? "")));
		this.#panesChanged();
	}

	/** Whoever names no log sees the one that was written to last. */
	#openSome() {
		if (this.panes.length) return;
		const all = [...this.sources.all.values()].sort((a, b) => ((a.modified ?? "") < (b.modified ?? "") ? 1 : -1));
		if (!all.length) byId("name", HTMLElement).textContent = "no logs yet";
		else this.open(all[0].name, "open", true);
	}

	/** @param {string} name @param {How} how @param {boolean} [isOwn] it was not asked for */
	open(name, how, isOwn = false) {
		document.body.classList.remove("drawer");
		if (how === "split" && this.panes.length) {
			this.#addPane(name, new URLSearchParams(), "");
			this.#panesChanged();
			return writeUrl({}, { panes: this.panes.slice(1).map((pane) => pane.name).join("|") });
		}
		const merged = how === "merge" ? this.pane?.nameWith(name) : null;
		const url = logUrl(merged ?? name);
		for (const [key, value] of Object.entries(this.filter)) if (value) url.searchParams.set(key, value);
		const hash = fragment();
		for (const key of ["marks", "line", "panes"]) hash.delete(key);
		url.hash = hash.toString();
		history[isOwn ? "replaceState" : "pushState"](null, "", url);
		this.#readUrl();
		this.pane?.scroller.focus();
	}

	/** @param {string} name @param {URLSearchParams} query @param {string} line */
	#addPane(name, query, line) {
		const pane = new LogView(this, name, query, this.filter, line);
		this.panes.push(pane);
		pane.addEventListener("focusin", () => this.#choose(pane));
		pane.addEventListener("pointerdown", () => this.#choose(pane));
		this.main.append(pane);
		this.#choose(pane);
	}

	/** @param {LogView} pane */
	#choose(pane) {
		this.pane = pane;
		for (const other of this.panes) other.classList.toggle("chosen", other === pane);
		this.stateChanged();
	}

	#panesChanged() {
		this.main.classList.toggle("split", this.panes.length > 1);
		byId("name", HTMLElement).textContent = this.panes.map((pane) => pane.sources.join(" + ") || pane.name).join(" | ");
		this.sources?.render();
		this.stateChanged();
	}

	/** @param {LogView} pane */
	closePane(pane) {
		this.panes = this.panes.filter((other) => other !== pane);
		pane.remove();
		const [first, ...others] = this.panes;
		const url = new URL(location.href);
		url.pathname = root.pathname + logPath(first.name);
		history.replaceState(null, "", url);
		writeUrl({}, { panes: others.map((other) => other.name).join("|") });
		this.#choose(first);
		this.#panesChanged();
	}

	// What is shown.

	stateChanged() {
		const unread = this.panes.reduce((sum, { model }) => sum + (model.isFollowing && !document.hidden ? 0 : (model.unread ?? 0)), 0);
		showStatus(this.pane?.model, unread, this.pane?.name ?? "");
		byId("follow", HTMLElement).ariaPressed = String(this.pane?.model.isFollowing ?? false);
	}

	#tick() {
		this.stateChanged();
		if (this.look.time === "relative") for (const pane of this.panes) pane.refreshTimes();
	}

	#seen() {
		if (!document.hidden) for (const { model } of this.panes) if (model.isFollowing) model.unread = 0;
		this.stateChanged();
	}

	#showLook() {
		const { theme, isWrapped, time, isLarge } = this.settings;
		const { classList, dataset } = document.documentElement;
		dataset.theme = theme;
		classList.toggle("wrap", isWrapped);
		classList.toggle("large", isLarge);
		byId("wrap", HTMLElement).ariaPressed = String(isWrapped);
		const pattern = this.highlighted || this.filter.grep;
		Object.assign(this.look, { isWrapped, time, highlight: toRegExp(pattern) });
		for (const pane of this.panes) pane.refresh();
	}

	/** @param {Partial<Settings>} change */
	change(change) {
		Object.assign(this.settings, change);
		const { theme, isWrapped } = this.settings;
		keepSettings(this.settings);
		writeUrl({}, { wrap: isWrapped ? "true" : "", theme: theme === "system" ? "" : theme });
		this.#showLook();
	}

	/** @param {string} text */
	say(text) {
		const toast = byId("toast", HTMLElement);
		toast.textContent = text;
		toast.hidden = false;
		clearTimeout(this.#toast);
		this.#toast = setTimeout(() => (toast.hidden = true), TOAST_MS);
	}

	// Search.

	get isHighlight() {
		return byId("mode", HTMLElement).ariaPressed === "true";
	}

	get isInverse() {
		return byId("invert", HTMLElement).ariaPressed === "true";
	}

	#showFilter() {
		const { grep, exclude, level } = this.filter;
		const isInverse = !grep && !this.highlighted && exclude !== "";
		this.search.value = this.highlighted || grep || exclude;
		byId("mode", HTMLElement).ariaPressed = String(this.highlighted !== "");
		byId("invert", HTMLElement).ariaPressed = String(isInverse);
		const chip = byId("chip", HTMLButtonElement);
		chip.hidden = !exclude || isInverse;
		chip.textContent = `not: ${exclude} ×`;
		byId("levels", HTMLElement).childNodes.forEach((button, i) => {
			if (button instanceof HTMLElement) button.ariaPressed = String(LEVELS[i] === level);
		});
		this.#showError("");
	}

	/** @param {string} text */
	#showError(text) {
		byId("search-error", HTMLElement).textContent = text;
		this.search.setAttribute("aria-invalid", String(text !== ""));
	}

	/** Applies what stands in the field. */
	applySearch() {
		const text = this.search.value;
		const isFilter = !this.isHighlight;
		if (this.isInverse) return this.setFilter({ exclude: text, grep: "" }, "");
		const exclude = byId("chip", HTMLElement).hidden ? "" : this.filter.exclude;
		return this.setFilter({ grep: isFilter ? text : "", exclude }, isFilter ? "" : text);
	}

	/** @param {Partial<Filter>} change @param {string} highlighted */
	async setFilter(change, highlighted) {
		const filter = { ...this.filter, ...change };
		const isSame = Object.entries(filter).every(([key, value]) => this.filter[/** @type {keyof Filter} */ (key)] === value);
		try {
			if (!isSame) await Promise.all(this.panes.map((pane) => pane.model.setFilter(filter, pane.anchor)));
		} catch (error) {
			return this.#showError(error instanceof Error ? error.message : String(error));
		}
		this.filter = filter;
		this.highlighted = highlighted;
		writeUrl({ ...filter }, { highlight: highlighted });
		this.#showFilter();
		this.#showLook();
	}

	/** @param {1 | -1} direction */
	#hit(direction) {
		const pattern = this.look.highlight;
		if (!pattern) return this.say("nothing is searched for: / begins");
		void this.#find(direction, ofPattern(pattern, this.highlighted || this.filter.grep));
	}

	/** @param {1 | -1} direction @param {Wanted} wanted */
	async #find(direction, wanted) {
		await this.pane?.find(direction, wanted).catch((error) => this.say(`the search failed: ${error.message}`));
	}

	// Marks and export.

	/** @param {Line} line */
	toggleMark(line) {
		this.marks.toggle(line);
		for (const pane of this.panes) pane.markChanged(line);
	}

	/** @param {1 | -1} direction */
	#nextMark(direction) {
		const { pane } = this;
		if (!pane) return;
		const wanted = { what: "mark", test: this.marks.has, query: {} };
		const isHere = this.marks.among(pane.model.store.lines).length > 0;
		const [cursor] = this.marks.cursors;
		if (isHere) pane.findHere(direction, wanted) || this.say(`no ${direction > 0 ? "later" : "earlier"} mark here`);
		else if (cursor) void pane.model.openAt({ from: cursor }, cursor, -1);
		else this.say("no marks: m makes one");
	}

	/** The marked lines, or the selected one. */
	get #chosen() {
		const { pane } = this;
		if (!pane) return [];
		const marked = this.marks.among(pane.model.store.lines);
		return marked.length ? marked : pane.selected ? [pane.selected] : [];
	}

	/** @param {(lines: Line[]) => string} form */
	#copyLines(form) {
		const lines = this.#chosen;
		if (!lines.length) return this.say("mark lines with m, or select one");
		this.#copy(form(lines), plural(lines.length, "line"));
	}

	/** @param {string} text @param {string} what */
	#copy(text, what) {
		copy(text).then(() => this.say(`${what} copied`), (error) => this.say(error.message));
	}

	#copyLink() {
		const line = this.pane?.selected;
		if (!line || !this.pane) return this.say("select a line first");
		this.#copy(this.pane.linkTo(line).href, "link");
	}

	// Tools and keys.

	#bindTools() {
		const on = (/** @type {string} */ id, /** @type {() => void} */ act) => byId(id, HTMLElement).addEventListener("click", act);
		const levels = byId("levels", HTMLElement);
		for (const level of LEVELS) {
			const button = element("button", `level ${level}`, level || "all");
			button.ariaPressed = String(level === this.filter.level);
			button.addEventListener("click", () => this.setFilter({ level: level === this.filter.level ? "" : level }, this.highlighted));
			levels.append(button);
		}
		byId("find", HTMLFormElement).addEventListener("submit", (event) => {
			event.preventDefault();
			void this.applySearch();
		});
		this.search.addEventListener("search", () => this.search.value || this.applySearch());
		on("mode", () => this.act("mode"));
		on("invert", () => {
			byId("invert", HTMLElement).ariaPressed = String(!this.isInverse);
			byId("mode", HTMLElement).ariaPressed = "false";
			if (this.search.value) void this.applySearch();
		});
		on("chip", () => this.setFilter({ exclude: "" }, this.highlighted));
		on("menu", () => {
			const isOpen = document.body.classList.toggle("drawer");
			byId("menu", HTMLElement).ariaExpanded = String(isOpen);
		});
		for (const [id, action] of [["previous", "previous"], ["next", "next"], ["follow", "pause"], ["wrap", "wrap"], ["jump-open", "jump"], ["more-open", "more"], ["help-open", "help"]]) {
			on(id, () => this.act(action));
		}
		byId("jump", HTMLDialogElement).addEventListener("close", ({ target }) => {
			const time = byId("jump-time", HTMLInputElement).value.trim();
			if (/** @type {HTMLDialogElement} */ (target).returnValue === "go" && time) this.#jump(time);
		});
		on("status", () => this.pane?.model.connection.retry());
		this.main.addEventListener("click", () => document.body.classList.remove("drawer"));
	}

	/** @param {string} time */
	#jump(time) {
		this.pane?.jumpToTime(time).catch((error) => this.say(error.message));
	}

	/** @param {string} action @returns {boolean | void} */
	act(action) {
		const { pane } = this;
		switch (action) {
			case "search":
				if (document.activeElement === this.search) return false;
				return this.search.select();
			case "mode": {
				byId("mode", HTMLElement).ariaPressed = String(!this.isHighlight);
				byId("invert", HTMLElement).ariaPressed = "false";
				return void (this.search.value && this.applySearch());
			}
			case "clear":
				if (document.body.classList.contains("drawer")) return document.body.classList.remove("drawer");
				if (this.search.value || this.highlighted) {
					this.search.value = "";
					void this.setFilter({ grep: "", exclude: "" }, "");
				} else pane?.select(null);
				return pane?.scroller.focus({ preventScroll: true });
			case "next": return this.#hit(1);
			case "previous": return this.#hit(-1);
			case "nextError": return void this.#find(1, ofLevel(["error", "fatal"], "error"));
			case "previousError": return void this.#find(-1, ofLevel(["error", "fatal"], "error"));
			case "nextWarning": return void this.#find(1, ofLevel(["warn"], "warning"));
			case "previousWarning": return void this.#find(-1, ofLevel(["warn"], "warning"));
			case "top": return void pane?.toTop();
			case "end": return pane?.toEnd();
			case "pause": return pane?.togglePause();
			case "space": return pane?.model.isFollowing ? pane.togglePause() : pane?.scrollPages(1);
			case "down": return pane?.moveSelection(1);
			case "up": return pane?.moveSelection(-1);
			case "pageDown": return pane?.scrollPages(1);
			case "pageUp": return pane?.scrollPages(-1);
			case "halfDown": return pane?.scrollPages(0.5);
			case "halfUp": return pane?.scrollPages(-0.5);
			case "open": return pane?.toggleOpen();
			case "fold": return pane?.foldAll();
			case "mark": return pane?.selected ? this.toggleMark(pane.selected) : this.say("select a line first: j, k or a click");
			case "nextMark": return this.#nextMark(1);
			case "previousMark": return this.#nextMark(-1);
			case "copy": return this.#copyLines(asText);
			case "copyNdjson": return this.#copyLines(asNdjson);
			case "link": return this.#copyLink();
			case "jump": return byId("jump", HTMLDialogElement).showModal();
			case "wrap": return this.change({ isWrapped: !this.settings.isWrapped });
			case "palette": return this.palette.show();
			case "sources": {
				document.body.classList.add("drawer");
				return this.sources.nav.querySelector("a")?.focus();
			}
			case "log": {
				const at = pane ? this.panes.indexOf(pane) : 0;
				const isThere = pane?.contains(document.activeElement);
				return this.panes[(at + (isThere ? 1 : 0)) % this.panes.length]?.scroller.focus();
			}
			case "levels": return byId("levels", HTMLElement).querySelector("button")?.focus();
			case "more": return this.#showMore();
			case "clearView": return pane?.model.clear();
			case "help": return byId("help", HTMLDialogElement).showModal();
		}
	}

	#showMore() {
		const dialog = byId("more", HTMLDialogElement);
		const { pane } = this;
		/** @type {[string, () => void][]} */ const actions = [];
		if (pane) {
			const { lines } = pane.model.store;
			const file = pane.name.replace(/[^\w.-]+/g, "_");
			const shown = () => lines.filter((line) => line.kind === "line");
			const chosen = this.#chosen.length;
			const whole = (/** @type {Record<string, string>} */ query) => logUrl(pane.name, new URLSearchParams(query)).href;
			const filter = Object.fromEntries(Object.entries(this.filter).filter(([, value]) => value));
			actions.push(
				[`Copy ${plural(chosen, "chosen line")} as text`, () => this.#copyLines(asText)],
				["Copy as NDJSON", () => this.#copyLines(asNdjson)],
				["Copy a link to the selected line", () => this.#copyLink()],
				[`Download the ${plural(shown().length, "line")} loaded here`, () => downloadText(asText(shown()), `${file}.txt`)],
				["The same as NDJSON", () => downloadText(asNdjson(shown()), `${file}.ndjson`)],
				["Download all lines that pass the filter", () => download(whole({ ...filter, format: "text", tail: "all", follow: "false" }), `${file}.txt`)],
				["Download the whole source", () => download(whole({ format: "raw" }), file)],
				["Clear the view", () => pane.model.clear()],
			);
		}
		const button = (/** @type {string} */ text, /** @type {() => void} */ act) => {
			const made = element("button", "", text);
			made.addEventListener("click", () => {
				dialog.close();
				act();
			});
			return made;
		};
		byId("actions", HTMLElement).replaceChildren(...actions.map(([text, act]) => button(text, act)));
		const choice = (/** @type {string} */ label, /** @type {keyof Settings} */ key, /** @type {[any, string][]} */ values) => {
			const select = element("select", "", ...values.map(([value, text]) => Object.assign(element("option", "", text), { value: String(value), selected: this.settings[key] === value })));
			select.addEventListener("change", () => this.change({ [key]: values[select.selectedIndex][0] }));
			return element("label", "", label, select);
		};
		byId("settings", HTMLElement).replaceChildren(
			choice("Theme", "theme", [["system", "as the system"], ["light", "light"], ["dark", "dark"]]),
			choice("Time", "time", [["local", "local zone"], ["utc", "UTC"], ["relative", "relative"], ["written", "as written"]]),
			choice("Text", "isLarge", [[false, "small"], [true, "large"]]),
			choice("Long lines", "isWrapped", [[false, "scroll"], [true, "wrap"]]),
		);
		dialog.showModal();
	}
}

new Page();
