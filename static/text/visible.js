// @ts-check
// What cannot be seen, or would change how its neighbours look, is shown as a sign of its own: controls,
// escape sequences, text direction overrides, zero-width and other invisible characters.

/** @typedef {{ start: number, end: number }} Range */

const INVISIBLE =
  "[\\u0000-\\u0008\\u000a-\\u001f\\u007f-\\u009f\\u00ad\\u034f\\u061c\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180e" +
  "\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f\\u3164\\ufeff\\uffa0\\ufff9-\\ufffb]|[\\u{e0000}-\\u{e0fff}]";
/** A control or operating system sequence as one sign: its middle is no text of the log's. */
const SEQUENCE = "\\u001b\\[[0-?]*[ -/]*[@-~]|\\u001b[\\]PX^_][^\\u0007\\u001b]*(?:\\u0007|\\u001b\\\\)?";
const ODD = new RegExp(`${SEQUENCE}|${INVISIBLE}`, "gu");
const ANY = new RegExp(INVISIBLE, "u");

/** @param {string} char */
function sign(char) {
  const code = char.codePointAt(0) ?? 0;
  if (code < 0x20) return String.fromCharCode(0x2400 + code);
  if (code === 0x7f) return "\u2421";
  return `\u27e8U+${code.toString(16).toUpperCase().padStart(4, "0")}\u27e9`;
}

/**
 * The text with signs, where they stand in it, and how places of the old text move: a list of
 * [old end, difference].
 * @param {string} text
 * @returns {{ text: string, signs: Range[], moved: [number, number][] }}
 */
export function showInvisible(text) {
  if (!ANY.test(text)) return { text, signs: [], moved: [] };
  /** @type {Range[]} */ const signs = [];
  /** @type {[number, number][]} */ const moved = [];
  let shown = "";
  let at = 0;
  for (const match of text.matchAll(ODD)) {
    shown += text.slice(at, match.index);
    at = match.index + match[0].length;
    const start = shown.length;
    shown += [...match[0]].map((char) => (ANY.test(char) ? sign(char) : char)).join("");
    signs.push({ start, end: shown.length });
    moved.push([at, shown.length - at]);
  }
  return { text: shown + text.slice(at), signs, moved };
}

/** Where a place of the old text is in the new. @param {[number, number][]} moved @param {number} at */
export function movedPlace(moved, at) {
  let by = 0;
  for (const [end, difference] of moved) {
    if (end > at) break;
    by = difference;
  }
  return at + by;
}

/** A short name fit for a title or label. @param {string} text */
export const printable = (text) => showInvisible(text).text;
