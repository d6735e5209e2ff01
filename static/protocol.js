// @ts-check
// The records of a stream, as the server's `wire` writes them.

/**
 * @typedef {object} LineRecord
 * @property {string} source
 * @property {string} cursor the place just after the line, of its own source
 * @property {string} [time] RFC 3339, where the line tells it
 * @property {string} [level]
 * @property {string} line
 * @property {boolean} [partial] the line goes on in the next record
 *
 * @typedef {object} EventRecord
 * @property {"start" | "heartbeat" | "gap" | "rotated" | "end"} event
 * @property {string} [source]
 * @property {string} [cursor] of all sources, joined by `~`; none where the stream cannot be resumed
 * @property {string[]} [sources]
 * @property {boolean} [resumable]
 * @property {number} [size] @property {string | null} [modified] @property {number} [behind]
 * @property {number} [bytes]
 * @property {string} [reason] @property {string} [how]
 *
 * @typedef {{ lines: LineRecord[], start?: string, begin?: boolean }} Page
 * @typedef {{ grep: string, exclude: string, level: string }} Filter
 *
 * @typedef {object} Sink who takes what a stream brings
 * @property {(records: LineRecord[], start: string | undefined) => void} lines
 * @property {(record: EventRecord) => void} event
 * @property {(error: Error) => void} closed at most once after an `open` that has resolved
 *
 * @typedef {object} Transport
 * @property {string} label
 * @property {(url: URL) => Promise<void>} open
 * @property {(query: URLSearchParams) => Promise<void>} restart drops what is on its way, goes on elsewhere
 * @property {(isPaused: boolean) => void} pause
 * @property {((source: string, before: string, lines: number) => Promise<Page>) | null} older none: by HTTP
 * @property {() => void} close
 */

/** What the server refused, with its words. */
export class Refusal extends Error {
  /** @param {string} detail @param {number} [status] @param {number} [retryAfter] in seconds */
  constructor(detail, status = 0, retryAfter = 0) {
    super(detail);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

/** The root of all URLs, whatever a proxy puts before it. */
export const root = new URL("./", document.baseURI);

/** @param {string} name */
export const logPath = (name) => `logs/${name.split("/").map(encodeURIComponent).join("/").replace(/%(?:2C|7B|7D|2A)/g, decodeURIComponent)}`;

/** @param {string} name @param {URLSearchParams} [query] */
export function logUrl(name, query) {
  const url = new URL(logPath(name), root);
  if (query) url.search = query.toString();
  return url;
}

/** Whether a name stands for several sources. @param {string} name */
export const isGlob = (name) => /[*?[{]/.test(name);

/** One name for several sources. @param {string[]} names */
export const globOf = (names) => `{${names.map((name) => name.replace(/[*?[\]{},]/g, "[$&]")).join(",")}}`;

/** The names that `globOf` has joined; none for another pattern. @param {string} glob */
export function namesOf(glob) {
  if (!/^\{.*\}$/s.test(glob)) return null;
  const names = glob.slice(1, -1).split(/,(?!\])/).map((name) => name.replace(/\[(.)\]/gs, "$1"));
  return globOf(names) === glob ? names : null;
}

/** The words of a refused request. @param {Response} response */
export async function refusalOf(response) {
  let detail = `${response.status} ${response.statusText}`.trim();
  if (response.headers.get("content-type")?.includes("problem+json")) {
    detail = (await response.json().catch(() => null))?.detail ?? detail;
  }
  return new Refusal(detail, response.status, Number(response.headers.get("retry-after")) || 0);
}
