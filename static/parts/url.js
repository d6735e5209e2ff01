// URL: what is shown stands in the path and the query, how it looks in the fragment. What changes
// it is written there at once, so that a reload, a link and the way back show the same.
import { logUrl, root } from "../protocol.js";

/**
 * What a URL says.
 * @typedef {object} Shown
 * @property {string[]} names of the logs, one a pane
 * @property {URLSearchParams} query of the first one
 * @property {Filter} filter
 * @property {string} highlighted
 * @property {string[]} marks
 * @property {string} line that a link means
 */

/** Parts of the fragment that belong to the lines of one log. */
const OF_LINES = ["marks", "line", "panes"];

/** The fragment is a query of its own. */
export const fragment = () => new URLSearchParams(location.hash.slice(1));

/** @returns {Shown} */
export function readUrl() {
  const query = new URLSearchParams(location.search);
  const { grep = "", exclude = "", level = "" } = Object.fromEntries(query);
  const { highlight = "", marks = "", panes = "", line = "" } = Object.fromEntries(fragment());
  const [, path = ""] = /^logs\/(.+)/.exec(location.pathname.slice(root.pathname.length)) ?? [];
  return {
    names: [decodeURIComponent(path), ...panes.split("|")].filter(Boolean),
    query,
    filter: { grep, exclude, level },
    highlighted: highlight,
    marks: marks.split(","),
    line,
  };
}

/**
 * Changes the URL in place; empty values go.
 * @param {Record<string, string>} query
 * @param {Record<string, string>} hash
 */
export function writeUrl(query, hash) {
  const url = new URL(location.href);
  const inFragment = fragment();
  put(url.searchParams, query);
  put(inFragment, hash);
  url.hash = inFragment.toString();
  if (url.href !== location.href) history.replaceState(null, "", url);
}

/** @param {URLSearchParams} params @param {Record<string, string>} values */
function put(params, values) {
  for (const [key, value] of Object.entries(values)) {
    if (value) params.set(key, value);
    else params.delete(key);
  }
}

/**
 * The URL becomes that of another log.
 * @param {string} name
 * @param {Filter} filter
 * @param {"pushState" | "replaceState"} way
 */
export function openUrl(name, filter, way) {
  const url = logUrl(name, { ...filter });
  const hash = fragment();
  for (const key of OF_LINES) hash.delete(key);
  url.hash = hash.toString();
  history[way](null, "", url);
}

/** The first pane shows another log, and all else stays. @param {string} name */
export function renameUrl(name) {
  const url = new URL(location.href);
  url.pathname = logUrl(name).pathname;
  history.replaceState(null, "", url);
}

/** A link that opens at a line. @param {LogModel} model @param {Line} line */
export function linkTo({ store }, line) {
  const url = new URL(location.href);
  const from = store.isMerged ? null : store.placeBefore(line);
  for (const key of ["tail", "since", "from"]) url.searchParams.delete(key);
  if (from) url.searchParams.set("from", from);
  else if (line.time) url.searchParams.set("since", line.time);
  const hash = fragment();
  hash.set("line", line.cursor);
  url.hash = hash.toString();
  return url.href;
}
