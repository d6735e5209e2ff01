// Export: lines and links for elsewhere, by the clipboard or as a file.
import { logUrl } from "../protocol.js";
import { plural } from "../text/format.js";
import { toast, toastError } from "./overlays.js";
import { linkTo } from "./url.js";

/** So long a browser may take to begin with a download. */
const DOWNLOAD_MS = 60_000;

/** @param {Line[]} lines */
export const asText = (lines) => lines.map(({ text }) => `${text}\n`).join("");

/** @param {Line[]} lines */
export const asNdjson = (lines) =>
  lines.map((line) => `${JSON.stringify(line.toRecord())}\n`).join("");

/** @param {string} text */
async function write(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  // Without TLS there is only the old way.
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  const isDone = document.execCommand("copy");
  area.remove();
  if (!isDone) throw new Error("the browser does not let the page copy");
}

/** @param {string} text @param {string} what */
function copy(text, what) {
  write(text).then(() => toast(`${what} copied`), toastError);
}

/** @param {Line[]} lines @param {(lines: Line[]) => string} form */
export function copyLines(lines, form) {
  if (lines.length) copy(form(lines), plural(lines.length, "line"));
  else toast("mark lines with m, or select one");
}

/** A link to the selected line. @param {LogView | undefined} pane */
export function copyLink(pane) {
  if (pane?.selection.line) copy(linkTo(pane.model, pane.selection.line), "link");
  else toast("select a line first");
}

/** @param {LogView} pane @param {string} extension */
const fileName = ({ name }, extension) => `${name.replace(/[^\w.-]+/g, "_")}.${extension}`;

/** @param {string} href @param {string} name */
const download = (href, name) =>
  Object.assign(document.createElement("a"), { href, download: name }).click();

/** The lines that are here. @param {LogView} pane */
export function saveShown(pane) {
  const lines = pane.model.store.lines.filter((line) => line.note === undefined);
  const href = URL.createObjectURL(new Blob([asText(lines)]));
  download(href, fileName(pane, "txt"));
  setTimeout(() => URL.revokeObjectURL(href), DOWNLOAD_MS);
}

/** @param {LogView} pane @param {Query} query @param {string} extension */
const save = (pane, query, extension) =>
  download(logUrl(pane.name, query).href, fileName(pane, extension));

/** All lines that pass. @param {LogView} pane @param {Filter} filter */
export const saveFiltered = (pane, filter) =>
  save(pane, { ...filter, format: "text", tail: "all", follow: "false" }, "txt");

/** The whole log, its bytes as they are. @param {LogView} pane */
export const saveSource = (pane) => save(pane, { format: "raw" }, "log");
