// Decorate: a line's text as it is shown, cut into parts that look alike; and which lines go on
// with the one before. Pure; `list/row.js` makes elements of it.
import { parseAnsi } from "./ansi.js";
import { brief, isLevel, parseFields, unwrap } from "./fields.js";
import { showInvisible } from "./visible.js";

/**
 * @typedef {object} Options
 * @property {RegExp | null} [highlight]
 * @property {boolean} [isTimed] its time stands before it
 * @property {string} [level]
 * @property {boolean} [isWhole]
 */

/** Longer lines are folded. */
export const FOLD_CHARS = 4000;
const MAX_HITS = 200;
/** @param {RegExp[]} patterns */
const anyOf = (...patterns) => patterns.map(({ source }) => source).join("|");
const ISO =
  /\[?\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?: ?(?:Z|UTC|[+-]\d\d:?\d\d))?\]?/;
const STAMP = new RegExp(`^(?:${anyOf(ISO, /[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d/)})[ \\t]+`);
const LEVELS = anyOf(
  /trace|debug|info|notice|warn(?:ing)?|error|err/,
  /fatal|critical|crit|panic|severe|alert|emerg/,
);
const LEVEL = new RegExp(`\\b(?:${LEVELS})\\b`, "i");
const LINK = /\bhttps?:\/\/[^\s<>"'`⟨⟩]*[^\s<>"'`⟨⟩.,;:!?)\]}]/g;
const TRACE = anyOf(
  /\s+\S|[})\]]+[;,]?\s*$/,
  // Java, Python, Go, Rust.
  /Caused by: |(?:[\w$]+\.)+[\w$]*(?:Exception|Error|Throwable)\b/,
  /Traceback \(most recent|During handling of|The above exception|\w*(?:Exception|Error): /,
  /goroutine \d+ \[|\[signal /,
  /stack backtrace:|note: run with/,
);
const CONTINUATION = new RegExp(`^(?:${TRACE})`);

/** Some tell a level by what they cite. */
const FRAME = /^\s*(?:at |Caused by: |\.{3} \d|File ")/;

/**
 * Whether a line that tells no time is of a stack trace.
 * @param {string} text
 * @param {boolean} [isPlain] it tells no level either
 */
export const isContinuation = (text, isPlain = true) =>
  (isPlain ? CONTINUATION : FRAME).test(text.slice(0, 400));

/**
 * @param {string} line
 * @param {Options} options
 * @returns {{ parts: Part[], nMore: number, fields: Fields | null }}
 */
export function decorate(line, { highlight, isTimed = false, level = "", isWhole }) {
  const unwrapped = unwrap(line);
  const fields = parseFields(unwrapped);
  const whole = fields?.message ?? unwrapped;
  const cut = isWhole ? whole.length : FOLD_CHARS;
  const { text, runs } = parseAnsi(whole.slice(0, cut));
  /** @type {Mark[]} */ const marks = [];
  let shown = "";
  /** @param {string} part */
  const add = (part, kind = "") => {
    const begin = shown.length;
    const { text, signs, place } = showInvisible(part);
    shown += text;
    if (kind) marks.push({ start: begin, end: shown.length, kind });
    for (const { start, end } of signs)
      marks.push({ start: begin + start, end: begin + end, kind: "sign" });
    return (/** @type {number} */ at) => begin + place(at);
  };
  const others = fields?.fields.filter(([key]) => !isLevel(key)) ?? [];
  for (const [key, value] of fields?.fields ?? [])
    if (isLevel(key)) add(`${brief(value).padEnd(5)} `, "word");
  const place = add(text);
  for (const { start, end, style } of runs)
    marks.push({ start: place(start), end: place(end), kind: "", style });
  for (const [key, value] of others) {
    if (shown.length > FOLD_CHARS && !isWhole) break;
    add(text || key !== others[0][0] ? "  " : "");
    add(`${key}=`, "key");
    add(brief(value), "value");
  }
  if (!fields) markWords(shown, isTimed, level, marks);
  /** @param {RegExp} pattern */
  const matches = (pattern) =>
    [...shown.matchAll(pattern)].slice(0, MAX_HITS).filter(([hit]) => hit);
  for (const { 0: href, index } of shown.includes("://") ? matches(LINK) : []) {
    if (URL.canParse(href)) marks.push({ start: index, end: index + href.length, kind: "", href });
  }
  for (const { 0: hit, index } of highlight ? matches(highlight) : [])
    marks.push({ start: index, end: index + hit.length, kind: "hit" });
  return { parts: split(shown, marks), nMore: Math.max(0, whole.length - cut), fields };
}

/**
 * The time that stands before the line already, and the word for its level.
 * @param {string} text
 * @param {boolean} isTimed
 * @param {string} level
 * @param {Mark[]} marks
 */
function markWords(text, isTimed, level, marks) {
  const stamp = isTimed ? (STAMP.exec(text)?.[0].length ?? 0) : 0;
  if (stamp) marks.push({ start: 0, end: stamp, kind: "stamp" });
  const word = level && LEVEL.exec(text.slice(stamp, stamp + 160));
  if (!word) return;
  const start = stamp + word.index;
  const end = start + word[0].length;
  if (!marks.some((mark) => mark.style && mark.start < end && mark.end > start))
    marks.push({ start, end, kind: "word" });
}

/** @param {string} text @param {Mark[]} marks @returns {Part[]} */
function split(text, marks) {
  const places = [
    ...new Set([0, text.length, ...marks.flatMap(({ start, end }) => [start, end])]),
  ].sort((a, b) => a - b);
  return places.slice(1).map((end, i) => {
    const here = marks.filter((mark) => mark.start < end && mark.end > places[i]);
    const style = here.find((mark) => mark.style)?.style;
    const classes = [...here.map(({ kind }) => kind), style?.classes].filter(Boolean).join(" ");
    return {
      text: text.slice(places[i], end),
      classes,
      style,
      href: here.find(({ href }) => href)?.href,
    };
  });
}
