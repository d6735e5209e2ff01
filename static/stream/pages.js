// Pages: some lines asked for once, over HTTP.
import { logUrl, readRecords } from "../protocol.js";

/** @typedef {(record: LineRecord) => boolean} Test */

/** A stack trace passes a filter with its head; that is among so many. */
const NEAR_LINES = 100;

/**
 * @param {string} name
 * @param {Query} query
 * @param {AbortSignal} [signal]
 * @param {Test} [isLast] no more are wanted
 */
async function read(name, query, signal, isLast = () => false) {
  /** @type {LinesPage} */ const page = { lines: [] };
  const url = logUrl(name, { ...query, format: "ndjson", follow: "false" });
  for await (const records of readRecords(url, signal)) {
    for (const record of records) {
      if ("line" in record) page.lines.push(record);
      else {
        if (record.begin !== undefined) page.begin = record.begin;
        if (record.event === "start") page.start = record.cursor;
      }
    }
    if (page.lines.some(isLast)) break;
  }
  return page;
}

/**
 * The last `n` lines before a place.
 * @param {string} source
 * @param {string} before
 * @param {number} n
 * @param {Query} filter
 */
export function olderByHttp(source, before, n, filter) {
  return read(source, { ...filter, before, tail: String(n) });
}

/**
 * The last line before a place that is accepted.
 * @param {string} source
 * @param {string} before
 * @param {Query} filter
 * @param {AbortSignal} signal
 * @param {Test} accept
 */
export async function lastBefore(source, before, filter, signal, accept) {
  const { lines } = await read(source, { ...filter, before, tail: String(NEAR_LINES) }, signal);
  return lines.findLast(accept) ?? lines[0] ?? null;
}

/**
 * The first line from a place or time on that is accepted.
 * @param {string} source
 * @param {Query} query
 * @param {AbortSignal} [signal]
 * @param {Test} [accept]
 */
export async function firstAfter(source, query, signal, accept = () => true) {
  const { lines } = await read(source, query, signal, accept);
  return lines.find(accept) ?? null;
}
