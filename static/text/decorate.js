// @ts-check
// Decorate: a line's text as it is shown, cut into parts that look alike; and which lines go on
// with the one before. Pure; `list/row.js` makes elements of it.
import { parseAnsi } from "./ansi.js";
import { brief, isLevel, parseFields, unwrap } from "./fields.js";
import { showInvisible } from "./visible.js";

/** Longer lines are folded. */
export const FOLD_CHARS = 4000;
const MAX_HITS = 200;
const STAMP =
  /^(?:\[?\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?: ?(?:Z|UTC|[+-]\d\d:?\d\d))?\]?|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d)[ \t]+/;
const LEVEL =
  /\b(?:trace|debug|info|notice|warn(?:ing)?|error|err|fatal|critical|crit|panic|severe|alert|emerg)\b/i;
const LINK = /\bhttps?:\/\/[^\s<>"'`⟨⟩]*[^\s<>"'`⟨⟩.,;:!?)\]}]/g;
const CONTINUATION =
  /^(?:\s+\S|Caused by: |Traceback \(most recent|During handling of|The above exception|goroutine \d+ \[|\[signal |stack backtrace:|note: run with|(?:[\w$]+\.)+[\w$]*(?:Exception|Error|Throwable)\b|\w*(?:Exception|Error): |[})\]]+[;,]?\s*$)/;

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
 * @param {{ highlight?: RegExp | null, isTimed?: boolean, level?: string, isWhole?: boolean }} options `isTimed`: its time stands before it
 * @returns {{ parts: Part[], nMore: number, fields: Fields | null }}
 */
export function decorate(line, { highlight, isTimed, level, isWhole }) {
  const unwrapped = unwrap(line);
  const fields = parseFields(unwrapped);
  const whole = fields?.message ?? unwrapped;
  const cut = isWhole ? whole.length : FOLD_CHARS;
  const { text, runs } = parseAnsi(whole.slice(0, cut));
  /** @type {Mark[]} */ const marks = [];
  let shown = "";
  const add = (part, kind = "") => {
    const begin = shown.length;
    const { text, signs, place } = showInvisible(part);
    shown += text;
    if (kind) marks.push({ start: begin, end: shown.length, kind });
    for (const { start, end } of signs)
      marks.push({ start: begin + start, end: begin + end, kind: "sign" });
    return (at) => begin + place(at);
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
  const matches = (pattern) =>
    [...shown.matchAll(pattern)].slice(0, MAX_HITS).filter(([hit]) => hit);
  for (const { 0: href, index } of shown.includes("://") ? matches(LINK) : []) {
    if (URL.canParse(href)) marks.push({ start: index, end: index + href.length, kind: "", href });
  }
  for (const { 0: hit, index } of highlight ? matches(highlight) : [])
    marks.push({ start: index, end: index + hit.length, kind: "hit" });
  return { parts: split(shown, marks), nMore: Math.max(0, whole.length - cut), fields };
}

/** The time that stands before the line already, and the word for its level. */
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
