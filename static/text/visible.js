// What cannot be seen, or would change how its neighbours look, is shown as a sign of its own:
// controls, escape sequences, text direction overrides, zero-width and other invisible characters.

const INVISIBLE =
  "[\\0-\\x08\\n-\\x1f\\x7f-\\x9f\\xad\\u034f\\u061c\\u115f\\u1160\\u17b4\\u17b5" +
  "\\u180b-\\u180e\\u200b-\\u200f\\u2028-\\u202e" +
  "\\u2060-\\u206f\\u3164\\ufeff\\uffa0\\ufff9-\\ufffb\\u{e0000}-\\u{e0fff}]";
/** A control or operating system sequence is one sign: its middle is no text of the log's. */
const ODD = new RegExp(
  `\\x1b\\[[0-?]*[ -/]*[@-~]|\\x1b[\\]PX^_][^\\x07\\x1b]*(?:\\x07|\\x1b\\\\)?|${INVISIBLE}`,
  "gu",
);
const ANY = new RegExp(INVISIBLE, "u");
const EACH = new RegExp(INVISIBLE, "gu");

/** Control pictures would be shorter, but many systems have no font for them. */
const NAMES = "NUL SOH STX ETX EOT ENQ ACK BEL BS HT LF VT FF CR SO SI DLE DC1 DC2 DC3 DC4"
  .split(" ")
  .concat("NAK SYN ETB CAN EM SUB ESC FS GS RS US".split(" "));

/** @param {string} char */
function sign(char) {
  const code = char.codePointAt(0) ?? 0;
  return `⟨${NAMES[code] ?? `U+${code.toString(16).toUpperCase().padStart(4, "0")}`}⟩`;
}

/**
 * The text with signs, where they stand in it, and where a place of the old text is in the new.
 * @param {string} text
 */
export function showInvisible(text) {
  /** @type {{ start: number, end: number }[]} */ const signs = [];
  /** @type {[number, number][]} */ const moved = [];
  /** @param {number} at */
  const place = (at) => at + (moved.findLast(([end]) => end <= at)?.[1] ?? 0);
  if (!ANY.test(text)) return { text, signs, place };
  let shown = "";
  let at = 0;
  for (const match of text.matchAll(ODD)) {
    shown += text.slice(at, match.index);
    at = match.index + match[0].length;
    const start = shown.length;
    shown += match[0].replace(EACH, sign);
    signs.push({ start, end: shown.length });
    moved.push([at, shown.length - at]);
  }
  return { text: shown + text.slice(at), signs, place };
}

/** @param {string} text */
export const printable = (text) => showInvisible(text).text;
