// Finder: the next line of a kind, in what is here or anywhere in the history.
import { firstAfter, lastBefore } from "../stream/pages.js";
import { Line } from "./line.js";

/** @param {string[]} levels the least grave first @param {string} what @returns {Wanted} */
export const ofLevel = (levels, what) => ({
  what,
  test: ({ level, head }) => !head && levels.includes(level ?? ""),
  query: { level: levels[0] },
});

/** @param {RegExp} pattern @param {string} grep @returns {Wanted} */
export const ofPattern = (pattern, grep) => ({
  what: "match",
  test: ({ note, text }) => note === undefined && text.search(pattern) >= 0,
  query: { grep },
});

/**
 * In what is here.
 * @param {Line[]} lines
 * @param {number} from
 * @param {number} direction
 * @param {Wanted} wanted
 */
export function findHere(lines, from, direction, wanted) {
  for (let i = from + direction; i >= 0 && i < lines.length; i += direction) {
    if (!lines[i].isHidden && wanted.test(lines[i])) return lines[i];
  }
  return null;
}

/**
 * Beyond what is here.
 * @param {LogModel} model
 * @param {number} direction
 * @param {Wanted} wanted
 * @param {AbortSignal} signal
 * @returns {Promise<LineRecord | null>}
 */
export async function findBeyond(model, direction, wanted, signal) {
  /** @param {LineRecord} record */
  const accept = (record) => wanted.test(new Line(record));
  const query = { ...model.filter, ...wanted.query };
  const found = await Promise.all(
    [...model.store.places].map(([source, { first, last }]) => {
      if (direction < 0) return first ? lastBefore(source, first, query, signal, accept) : null;
      return last ? firstAfter(source, { ...query, from: last }, signal, accept) : null;
    }),
  );
  /** @param {LineRecord} record */
  const order = (record) => direction * (new Line(record).moment || 0);
  return found.filter((record) => record !== null).sort((a, b) => order(a) - order(b))[0] ?? null;
}
