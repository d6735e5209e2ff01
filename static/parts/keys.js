// Keys: what each does, and the list that tells so.
import { $, element, targetOf } from "../list/dom.js";

/**
 * `event.key`s parted by spaces (`C-` is Ctrl or Cmd, `S-` Shift, `A-` Alt), what they do, the
 * action.
 * @type {[string, string, string][]}
 */
const BINDINGS = [
  ["/ C-f", "search, also in what has passed", "search"],
  ["h", "as filter, or as highlight", "mode"],
  ["Escape", "clear the search, close", "clear"],
  ["n F3", "next hit", "next"],
  ["N S-F3", "previous hit", "previous"],
  ["e", "next error", "nextError"],
  ["E", "previous error", "previousError"],
  ["w", "next warning", "nextWarning"],
  ["W", "previous warning", "previousWarning"],
  ["g Home", "to the first line", "top"],
  ["G End F", "to the end, and follow", "end"],
  ["Space =", "pause, go on", "pause"],
  ["j ArrowDown", "next line", "down"],
  ["k ArrowUp", "line before", "up"],
  ["Space PageDown", "down a page", "pageDown"],
  ["b PageUp S-Space", "up a page", "pageUp"],
  ["C-d", "down half a page", "halfDown"],
  ["C-u", "up half a page", "halfUp"],
  ["Enter", "open or fold the line", "toggle"],
  ["z", "fold all stack traces", "fold"],
  ["m", "mark the line", "mark"],
  ["u", "next mark", "nextMark"],
  ["U", "previous mark", "previousMark"],
  ["c", "copy marked lines, or this", "copy"],
  ["C", "the same as NDJSON", "copyNdjson"],
  ["y", "copy a link to the line", "link"],
  ["t", "jump to a time", "jump"],
  ["A-z", "wrap long lines", "wrap"],
  ["C-k", "jump to a source", "palette"],
  ["f", "to the list of sources", "sources"],
  ["l", "to the log, the next pane", "log"],
  ["s", "to the levels", "levels"],
  ["o", "copy, download, settings", "more"],
  ["C-S-l", "clear the view", "clearView"],
  ["?", "these keys", "help"],
];
/** @type {Map<string, string>} */
const BY_KEY = new Map();
for (const [keys, , action] of BINDINGS) for (const key of keys.split(" ")) BY_KEY.set(key, action);
BY_KEY.set("Space", "space");

/** @param {KeyboardEvent} event */
function nameOf({ key, code, ctrlKey, metaKey, altKey, shiftKey }) {
  const name = key === " " ? "Space" : altKey ? code.replace(/^Key/, "").toLowerCase() : key;
  if (ctrlKey || metaKey) return `C-${shiftKey ? "S-" : ""}${name.toLowerCase()}`;
  return altKey ? `A-${name}` : shiftKey && name.length > 1 ? `S-${name}` : name;
}

/** @param {(action: string) => boolean | void} act false leaves the key to the browser */
export function listenToKeys(act) {
  addEventListener("keydown", (event) => {
    const name = nameOf(event);
    const action = BY_KEY.get(name);
    const target = targetOf(event);
    if (!action || event.isComposing || document.querySelector("dialog[open]")) return;
    // Those who type mean letters; a button has its own keys, a list its arrows.
    if (target.matches("input, textarea, select") && !/^(?:[CA]-|Esc|(?:S-)?F3)/.test(name)) return;
    if (target.matches("button, a, summary") && /^(?:Enter|Space)$/.test(name)) return;
    if (target.closest("nav") && /^(?:Arrow|Page|Home|End)/.test(name)) return;
    if (act(action) !== false) event.preventDefault();
  });
  $("keys").append(
    ...BINDINGS.map(([keys, words]) => {
      const terms = keys.split(" ").map((key) => element("kbd", "", shownKey(key)));
      return element("div", "", element("dt", "", ...terms), element("dd", "", words));
    }),
  );
}

/** A key as it stands on the keyboard. @param {string} key */
function shownKey(key) {
  const spelt = key.replace("C-", "Ctrl ").replace("S-", "Shift ").replace("A-", "Alt ");
  return spelt.replace(/Arrow|ape/, "");
}
