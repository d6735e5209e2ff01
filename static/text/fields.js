// Fields: what JSON and logfmt lines hold, and what Docker and CRI wrapped.

const MESSAGE = /^(?:message|@message|msg|log|text|event|body)$/i;
const TIME = /^(?:time|ts|timestamp|@timestamp|datetime|date|t)$/i;
const CRI = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.?\d*(?:Z|[+-]\d\d:\d\d) (?:stdout|stderr) [FP] ?/;
const PAIR = /([\w.@\-/]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s"=]*))(?=\s|$) */gy;
const MAX_PARSED = 1 << 16;

/** The line as the program in the container wrote it. @param {string} line */
export function unwrap(line) {
  if (!line.startsWith('{"log":"')) return line.replace(CRI, "");
  const { log, stream, time } = parseObject(line) ?? {};
  return typeof log === "string" && stream && time ? log.replace(/\r?\n$/, "") : line;
}

/** @param {string} text @returns {Record<string, unknown> | null} */
function parseObject(text) {
  if (text.length > MAX_PARSED || !/^\s*\{.*\}\s*$/s.test(text)) return null;
  try {
    return JSON.parse(text);
  } catch {
    // It only looked like JSON, and is text.
    return null;
  }
}

/**
 * The pairs of a logfmt line; none unless the whole of it is pairs, two at least.
 * @param {string} text
 * @returns {[string, unknown][] | null}
 */
export function parseLogfmt(text) {
  if (text.length > MAX_PARSED || !/^[\w.@\-/]+=/.test(text)) return null;
  const pairs = [...text.matchAll(PAIR)];
  const end = pairs.at(-1);
  if (!end || pairs.length < 2 || end.index + end[0].length < text.length) return null;
  return pairs.map(([, key, quoted, bare]) => [key, quoted?.replace(/\\(["\\])/g, "$1") ?? bare]);
}

/**
 * The message of a line and its other fields, without the time; none where it is plain text.
 * @param {string} text
 * @returns {Fields | null}
 */
export function parseFields(text) {
  const object = parseObject(text);
  const entries = object ? Object.entries(object) : parseLogfmt(text);
  if (!entries) return null;
  /** @param {RegExp} pattern */
  const named = (pattern) =>
    entries.find(([key, value]) => pattern.test(key) && typeof value !== "object");
  const message = named(MESSAGE);
  const time = named(TIME);
  const fields = entries.filter((entry) => entry !== message && entry !== time);
  return { message: message ? String(message[1]) : "", fields };
}

/** Whether a field tells the level. @param {string} key */
export const isLevel = (key) => /^(?:level|severity|lvl|loglevel|levelname|log\.level)$/i.test(key);

/** A value on one line. @param {unknown} value @returns {string} */
export const brief = (value) => (typeof value === "string" ? value : JSON.stringify(value));
