// @ts-check
// Fields: what JSON and logfmt lines hold, and what Docker and CRI wrapped.

/**
 * @typedef {{ kind: "json" | "logfmt", message: string, fields: [string, unknown][] }} Fields
 */

const MESSAGE = ["message", "msg", "log", "text", "event", "@message", "body"];
const TIME = ["time", "ts", "timestamp", "@timestamp", "datetime", "date", "t"];
const LEVEL = ["level", "severity", "lvl", "loglevel", "levelname", "log.level"];
const CRI = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.?\d*(?:Z|[+-]\d\d:\d\d) (?:stdout|stderr) [FP] ?/;
const PAIR = /([\w.@\-/]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s"=]*))(?=\s|$)/gy;
const MAX_PARSED = 1 << 16;

/** The line as the program in the container wrote it. @param {string} line */
export function unwrap(line) {
  const cri = CRI.exec(line);
  if (cri) return line.slice(cri[0].length);
  if (!line.startsWith('{"log":"')) return line;
  const value = parseObject(line);
  const isDocker = value && typeof value.log === "string" && "stream" in value && "time" in value;
  return isDocker ? String(value.log).replace(/\r?\n$/, "") : line;
}

/** @param {string} text @returns {Record<string, unknown> | null} */
function parseObject(text) {
  if (text.length > MAX_PARSED || !/^\s*\{/.test(text) || !/\}\s*$/.test(text)) return null;
  try {
    const value = JSON.parse(text);
    return value && typeof value === "object" ? value : null;
  } catch {
    return null; // It only looked like JSON, and is text.
  }
}

/** The pairs of a logfmt line; none unless the whole of it is pairs, two at least. @param {string} text @returns {[string, string][] | null} */
export function parseLogfmt(text) {
  if (text.length > MAX_PARSED || !/^[\w.@\-/]+=/.test(text)) return null;
  /** @type {[string, string][]} */ const pairs = [];
  PAIR.lastIndex = 0;
  while (PAIR.lastIndex < text.length) {
    const match = PAIR.exec(text);
    if (!match) return null;
    pairs.push([match[1], match[2] === undefined ? match[3] : match[2].replace(/\\(.)/g, (_, c) => ({ n: "\n", t: "\t" })[c] ?? c)]);
    while (text[PAIR.lastIndex] === " ") PAIR.lastIndex++;
  }
  return pairs.length > 1 ? pairs : null;
}

/** The fields of a line; none where it is plain text. @param {string} text @returns {Fields | null} */
export function parseFields(text) {
  const object = parseObject(text);
  if (object) return arrange("json", Object.entries(object));
  const pairs = parseLogfmt(text);
  return pairs && arrange("logfmt", pairs);
}

/** @param {"json" | "logfmt"} kind @param {[string, unknown][]} entries @returns {Fields} */
function arrange(kind, entries) {
  const named = (/** @type {string[]} */ names) =>
    entries.find(([key, value]) => names.includes(key.toLowerCase()) && typeof value !== "object");
  const message = named(MESSAGE);
  const told = [message, named(TIME)];
  const fields = entries.filter((entry) => !told.includes(entry));
  return { kind, message: message ? String(message[1]) : "", fields };
}

/** Whether a field tells the level. @param {string} key */
export const isLevel = (key) => LEVEL.includes(key.toLowerCase());

/** A value as it stands on one line. @param {unknown} value */
export const brief = (value) => (typeof value === "string" ? value : JSON.stringify(value)) ?? "null";
