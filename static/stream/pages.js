// @ts-check
// Pages: some lines asked for once, over HTTP.
import { logUrl, readRecords } from "../protocol.js";

/** A stack trace passes a filter with its head; that is among so many. */
const NEAR_LINES = 100;

/**
 * @param {string} name
 * @param {Record<string, string>} query
 * @param {AbortSignal} [signal]
 * @param {(record: LineRecord) => boolean} [isLast] no more are wanted
 */
async function read(name, query, signal, isLast = () => false) {
  /** @type {Page} */ const page = { lines: [] };
  for await (const records of readRecords(
    logUrl(name, { ...query, format: "ndjson", follow: "false" }),
    signal,
  )) {
    for (const record of records) {
      if ("line" in record) page.lines.push(record);
      if ("begin" in record) page.begin = record.begin;
      if (record.event === "start") page.start = record.cursor;
    }
    if (page.lines.some(isLast)) break;
  }
  return page;
}

/** The last `n` lines before a place. @param {Record<string, string>} filter */
export function olderByHttp(source, before, n, filter) {
  return read(source, { ...filter, before, tail: String(n) });
}

/** The last line before a place that is accepted. @param {Record<string, string>} filter */
export async function lastBefore(source, before, filter, signal, accept) {
  const { lines } = await read(source, { ...filter, before, tail: String(NEAR_LINES) }, signal);
  return lines.findLast(accept) ?? lines[0] ?? null;
}

/**
 * The first line from a place or time on that is accepted.
 * @param {Record<string, string>} query
 */
export const firstAfter = async (
  source,
  query,
  signal = new AbortController().signal,
  accept = (record) => true,
) => (await read(source, query, signal, accept)).lines.find(accept) ?? null;
