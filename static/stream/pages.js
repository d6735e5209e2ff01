// @ts-check
// Pages: some lines asked for once, over HTTP.
import { logUrl, refusalOf } from "../protocol.js";

/** @import { LineRecord, Page } from "../protocol.js" */

/**
 * The lines and other records of a finite stream, `limit` lines at most.
 * @param {string} name @param {URLSearchParams} query @param {number} limit @param {AbortSignal} [signal]
 * @param {(record: LineRecord) => boolean} [isLast] no more are wanted
 * @returns {Promise<{ lines: LineRecord[], start: string | undefined, begin?: boolean }>}
 */
async function readRecords(name, query, limit, signal, isLast = () => false) {
  query.set("format", "ndjson");
  query.set("follow", "false");
  const response = await fetch(logUrl(name, query), { signal, cache: "no-store" });
  if (!response.ok) throw await refusalOf(response);
  /** @type {LineRecord[]} */ const lines = [];
  /** @type {string | undefined} */ let start;
  /** @type {boolean | undefined} */ let begin;
  const reader = /** @type {ReadableStream<Uint8Array>} */ (response.body).getReader();
  const decoder = new TextDecoder();
  let rest = "";
  while (lines.length < limit && !lines.some(isLast)) {
    const { done, value } = await reader.read();
    const texts = (rest + decoder.decode(value, { stream: !done })).split("\n");
    rest = texts.pop() ?? "";
    for (const text of texts) {
      if (!text) continue;
      const record = JSON.parse(text);
      if ("line" in record) lines.push(record);
      else if (record.event === "start") start = record.cursor;
      if ("begin" in record) begin = record.begin;
    }
    if (done) return { lines, start, begin };
  }
  await reader.cancel();
  return { lines: lines.slice(0, limit), start, begin };
}

/** The last lines before a place. @param {string} source @param {string} before @param {number} n @param {URLSearchParams} query @returns {Promise<Page>} */
export async function olderByHttp(source, before, n, query) {
  query.set("before", before);
  query.set("tail", String(n));
  const { lines, begin } = await readRecords(source, query, Infinity);
  const nWhole = lines.filter((record) => !record.partial).length;
  return { lines, begin: begin ?? nWhole < n };
}

/** A stack trace passes with its head; that is among so many. */
const NEAR_LINES = 100;

/**
 * The last line before a place that passes a filter and is accepted.
 * @param {string} source @param {string} before @param {URLSearchParams} query @param {AbortSignal} signal
 * @param {(record: LineRecord) => boolean} accept
 */
export async function lastBefore(source, before, query, signal, accept) {
  query.set("before", before);
  query.set("tail", String(NEAR_LINES));
  const { lines } = await readRecords(source, query, Infinity, signal);
  return lines.findLast(accept) ?? lines[0] ?? null;
}

/**
 * The first line from a place or time on that is accepted.
 * @param {string} source @param {URLSearchParams} query with `from` or `since` @param {AbortSignal} [signal]
 * @param {(record: LineRecord) => boolean} [accept]
 */
export async function firstAfter(source, query, signal, accept = () => true) {
  const { lines } = await readRecords(source, query, NEAR_LINES, signal, accept);
  return lines.find(accept) ?? null;
}
