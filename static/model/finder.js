// @ts-check
// Finder: the next line of a kind, in what is here or anywhere in the history.
import { firstAfter, lastBefore } from "../stream/pages.js";
import { Line } from "./line.js";

/** @import { LogModel } from "./log-model.js" */
/** @import { LineRecord } from "../protocol.js" */
/**
 * @typedef {object} Wanted
 * @property {string} what in words, for one who does not find it
 * @property {(line: Line) => boolean} test
 * @property {Record<string, string>} query what says the same to the server
 */

const MAX_SOURCES = 16;

/** Whether its level is as grave. @param {string[]} levels @param {string} what @returns {Wanted} */
export const ofLevel = (levels, what) => ({ what, test: (line) => levels.includes(line.level ?? ""), query: { level: levels[0] } });

/** @param {RegExp} pattern @param {string} grep @returns {Wanted} */
export const ofPattern = (pattern, grep) => ({
  what: "match",
  test: (line) => {
    pattern.lastIndex = 0;
    return line.kind === "line" && pattern.test(line.text);
  },
  query: { grep },
});

/** In what is here. @param {Line[]} lines @param {number} from @param {1 | -1} direction @param {Wanted} wanted */
export function findHere(lines, from, direction, wanted) {
  for (let i = from + direction; i >= 0 && i < lines.length; i += direction) {
    if (!lines[i].isHidden && wanted.test(lines[i])) return lines[i];
  }
  return null;
}

/** Beyond what is here. @param {LogModel} model @param {1 | -1} direction @param {Wanted} wanted @param {AbortSignal} signal @returns {Promise<LineRecord | null>} */
export async function findBeyond(model, direction, wanted, signal) {
  const accept = (/** @type {LineRecord} */ record) => wanted.test(Line.of(record));
  const places = [...model.store.places].slice(0, MAX_SOURCES);
  const found = await Promise.all(places.map(([source, { first, last }]) => {
    const query = new URLSearchParams();
    for (const [key, value] of Object.entries({ ...model.filter, ...wanted.query })) if (value) query.set(key, value);
    if (direction < 0) return first ? lastBefore(source, first, query, signal, accept) : null;
    if (last) query.set("from", last);
    return last ? firstAfter(source, query, signal, accept) : null;
  }));
  const order = (/** @type {LineRecord} */ record) => direction * (Line.of(record).moment || 0);
  return found.filter((record) => record !== null).sort((a, b) => order(a) - order(b))[0] ?? null;
}
