// @ts-check
// Keys: what each does, and the list that tells so.
import { byId, element } from "../list/dom.js";

/** @typedef {[keys: string, words: string, action: string]} Binding keys as `event.key`, parted by spaces; `C-` is Ctrl or Cmd */
/** @type {Binding[]} */
const BINDINGS = [
	["/", "search: Enter applies it, to what has passed as well", "search"],
	["C-f", "the same; once more for the browser's own", "search"],
	["h", "search as filter, or as highlight", "mode"],
	["Escape", "clear the search, close", "clear"],
	["n F3", "next hit", "next"],
	["N S-F3", "previous hit", "previous"],
	["e", "next error", "nextError"],
	["E", "previous error", "previousError"],
	["w", "next warning", "nextWarning"],
	["W", "previous warning", "previousWarning"],
	["g Home", "to the first line", "top"],
	["G End F", "to the end, and follow", "end"],
	["Space =", "pause, or go on", "pause"],
	["j ArrowDown", "next line", "down"],
	["k ArrowUp", "line before", "up"],
	["Space PageDown", "down a page (while paused)", "pageDown"],
	["b PageUp S-Space", "up a page", "pageUp"],
	["C-d", "down half a page", "halfDown"],
	["C-u", "up half a page", "halfUp"],
	["Enter", "open or fold the line", "open"],
	["z", "fold or unfold all stack traces", "fold"],
	["m", "mark the line", "mark"],
	["u", "next mark", "nextMark"],
	["U", "previous mark", "previousMark"],
	["c", "copy the marked lines, or the line", "copy"],
	["C", "the same as NDJSON", "copyNdjson"],
	["y", "copy a link to the line", "link"],
	["t", "jump to a time", "jump"],
	["A-z", "wrap long lines", "wrap"],
	["C-k", "jump to a source", "palette"],
	["f", "to the list of sources", "sources"],
	["l", "to the log; again: to the next pane", "log"],
	["s", "to the levels", "levels"],
	["o", "copy, download, settings", "more"],
	["C-S-l", "clear the view", "clearView"],
	["?", "these keys", "help"],
];
/** Also while somebody types. */
const EVERYWHERE = ["C-f", "C-k", "Escape", "F3", "S-F3", "C-S-l", "A-z"];
const BY_KEY = new Map(BINDINGS.flatMap(([keys, , action]) => keys.split(" ").map((key) => /** @type {const} */ ([key, action]))));
BY_KEY.set("Space", "space");

/** @param {KeyboardEvent} event */
function nameOf({ key, code, ctrlKey, metaKey, altKey, shiftKey }) {
	const name = key === " " ? "Space" : altKey && code.startsWith("Key") ? code.slice(3).toLowerCase() : key;
	if (ctrlKey || metaKey) return `C-${shiftKey ? "S-" : ""}${name.toLowerCase()}`;
	if (altKey) return `A-${name}`;
	return shiftKey && name.length > 1 ? `S-${name}` : name;
}

/** @param {(action: string) => boolean | void} act false leaves the key to the browser */
export function listenToKeys(act) {
	addEventListener("keydown", (event) => {
		const name = nameOf(event);
		const action = BY_KEY.get(name);
		const target = event.target instanceof HTMLElement ? event.target : null;
		if (!action || event.isComposing) return;
		const dialog = document.querySelector("dialog[open]");
		if (dialog) {
			if (action === "palette") event.preventDefault();
			return;
		}
		const isTyping = target?.matches("input, textarea, select") ?? false;
		if (isTyping && !EVERYWHERE.includes(name)) return;
		const isPressing = target?.matches("button, a, summary") ?? false;
		if (isPressing && (name === "Enter" || name === "Space")) return;
		if (target?.closest("nav") && /^(?:Arrow|Page|Home|End)/.test(name)) return;
		if (act(action) !== false) event.preventDefault();
	});
	const shown = (/** @type {string} */ key) => key.replace("C-", "Ctrl ").replace("S-", "Shift ").replace("A-", "Alt ").replace("Arrow", "").replace("Escape", "Esc");
	byId("keys", HTMLElement).append(...BINDINGS.map(([keys, words]) => {
		const terms = keys.split(" ").flatMap((key, i) => [i ? " " : "", element("kbd", "", shown(key))]);
		return element("div", "", element("dt", "", ...terms), element("dd", "", words));
	}));
}
