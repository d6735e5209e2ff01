// @ts-check
// Decorate: a line's text as it is shown, cut into parts that look alike. Pure; `list/row.js` makes
// elements of it.
import { parseAnsi } from "./ansi.js";
import { brief, isLevel, parseFields, unwrap } from "./fields.js";
import { movedPlace, showInvisible } from "./visible.js";

/** @import { Style } from "./ansi.js" */
/** @import { Fields } from "./fields.js" */
/**
 * @typedef {{ text: string, classes: string, style: Style | null, href: string }} Part
 * @typedef {{ start: number, end: number, kind: string, style?: Style, href?: string }} Mark
 * @typedef {{ parts: Part[], nMore: number, fields: Fields | null }} Decorated
 */

/** Longer lines are folded. */
export const FOLD_CHARS = 4000;
const MAX_HITS = 200;
const STAMP =
  /^(?:\[?\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?: ?(?:Z|UTC|[+-]\d\d:?\d\d))?\]?|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d)[ \t]+/;
const LEVEL = /\b(?:trace|debug|info|notice|warn(?:ing)?|error|err|fatal|critical|crit|panic|severe|alert|emerg)\b/i;
const LINK = /\bhttps?:\/\/[^\s<>"'`\u27e8\u27e9\u2400-\u2421]+/g;

/**
 * @param {string} line
 * @param {{ highlight: RegExp | null, isTimed: boolean, level: string | undefined, isWhole: boolean }} options
 *   `isTimed`: its time stands before it
 * @returns {Decorated}
 */
export function decorate(line, { highlight, isTimed, level, isWhole }) {
  const unwrapped = unwrap(line);
  const fields = parseFields(unwrapped);
  const whole = fields ? fields.message : unwrapped;
  const cut = isWhole ? whole.length : FOLD_CHARS;
  const { text, runs } = parseAnsi(whole.slice(0, cut));
  const { text: shown, signs, moved } = showInvisible(text);
  /** @type {Mark[]} */ const marks = [];
  for (const { start, end, style } of runs) {
    marks.push({ start: movedPlace(moved, start), end: movedPlace(moved, end), kind: "ansi", style });
  }
  for (const { start, end } of signs) marks.push({ start, end, kind: "sign" });
  const full = fields ? addFields(shown, fields, marks, isWhole) : shown;
  if (!fields) markWords(full, isTimed, level, marks);
  markLinks(full, marks);
  if (highlight) markHits(full, highlight, marks);
  return { parts: split(full, marks), nMore: Math.max(0, whole.length - cut), fields };
}

/** @param {string} shown @param {Fields} fields @param {Mark[]} marks @param {boolean} isWhole */
function addFields(shown, fields, marks, isWhole) {
  let text = shown;
  const add = (/** @type {string} */ part, /** @type {string} */ kind) => {
    const start = text.length;
    const { text: visible, signs } = showInvisible(part);
    text += visible;
    marks.push({ start, end: text.length, kind });
    for (const sign of signs) marks.push({ start: start + sign.start, end: start + sign.end, kind: "sign" });
  };
  for (const [key, value] of fields.fields) {
    if (text.length > FOLD_CHARS && !isWhole) return `${text} …`;
    if (text) text += "  ";
    if (isLevel(key)) {
      add(brief(value), "word");
      continue;
    }
    add(`${key}=`, "key");
    add(brief(value), "value");
  }
  return text;
}

/** @param {string} text @param {boolean} isTimed @param {string | undefined} level @param {Mark[]} marks */
function markWords(text, isTimed, level, marks) {
  const stamp = isTimed ? (STAMP.exec(text)?.[0].length ?? 0) : 0;
  if (stamp) marks.push({ start: 0, end: stamp, kind: "stamp" });
  const word = level && LEVEL.exec(text.slice(stamp, stamp + 160));
  if (!word) return;
  const start = stamp + word.index;
  const end = start + word[0].length;
  const isColoured = marks.some((mark) => mark.kind === "ansi" && mark.start < end && mark.end > start);
  if (!isColoured) marks.push({ start, end, kind: "word" });
}

/** @param {string} text @param {Mark[]} marks */
function markLinks(text, marks) {
  if (!text.includes("://")) return;
  for (const match of text.matchAll(LINK)) {
    const href = match[0].replace(/[.,;:!?)\]}]+$/, "");
    if (URL.canParse(href)) marks.push({ start: match.index, end: match.index + href.length, kind: "link", href });
  }
}

/** @param {string} text @param {RegExp} highlight @param {Mark[]} marks */
function markHits(text, highlight, marks) {
  let n = 0;
  highlight.lastIndex = 0;
  for (const match of text.matchAll(highlight)) {
    if (match[0]) marks.push({ start: match.index, end: match.index + match[0].length, kind: "hit" });
    if (++n >= MAX_HITS) return;
  }
}

/** @param {string} text @param {Mark[]} marks @returns {Part[]} */
function split(text, marks) {
  if (!marks.length) return [{ text, classes: "", style: null, href: "" }];
  const places = [...new Set([0, text.length, ...marks.flatMap(({ start, end }) => [start, end])])].sort((a, b) => a - b);
  /** @type {Part[]} */ const parts = [];
  for (let i = 0; i + 1 < places.length; i++) {
    const [start, end] = [places[i], places[i + 1]];
    const here = marks.filter((mark) => mark.start < end && mark.end > start);
    const style = here.find((mark) => mark.style)?.style ?? null;
    const kinds = here.filter((mark) => !mark.style && !mark.href).map((mark) => mark.kind);
    const classes = [...kinds, style?.classes ?? ""].filter(Boolean).join(" ");
    parts.push({ text: text.slice(start, end), classes, style, href: here.find((mark) => mark.href)?.href ?? "" });
  }
  return parts;
}
