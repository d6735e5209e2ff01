// @ts-check
// Row: a line as an element.
import { decorate } from "../text/decorate.js";
import { formatTime, plural, size } from "../text/format.js";
import { printable } from "../text/visible.js";
import { fieldTree } from "./field-tree.js";
import { element, rowButton } from "./dom.js";

/** @import { Line } from "../model/line.js" */
/** @import { Part } from "../text/decorate.js" */
/** @import { TimeMode } from "../text/format.js" */
/**
 * @typedef {object} Look how rows look just now
 * @property {RegExp | null} highlight
 * @property {TimeMode} time
 * @property {boolean} isMerged
 * @property {(line: Line) => boolean} isMarked
 * @property {(source: string) => number} hue
 */

/** @param {Line} line @param {Look} look @returns {HTMLElement} */
export function buildRow(line, look) {
  if (line.kind === "note") return element("div", `row note ${line.level ?? ""}`, element("span", "text", line.text));
  const at = line.moment;
  const isTimed = look.time !== "written" && !Number.isNaN(at);
  const options = { highlight: look.highlight, isTimed, level: line.level, isWhole: line.isLong };
  const { parts, nMore, fields } = decorate(line.text, options);
  const row = element("div", "row");
  if (line.level) row.dataset.level = line.level;
  if (line.head) row.classList.add("follower");
  row.append(gutter(line, fields !== null, look.isMarked(line)));
  if (look.time !== "written") row.append(timeCell(at, look.time));
  if (look.isMerged) row.append(sourceCell(line.source, look.hue(line.source)));
  const text = element("span", "text");
  for (const part of parts) text.append(partNode(part));
  row.append(text);
  const nHidden = nMore + line.nLost;
  if (nHidden) row.append(rowButton("more", `show ${size(nHidden)} more`, "Show the whole line"));
  if (line.nFollowers) row.append(foldButton(line));
  if (line.isOpen && fields) row.append(fieldTree(fields));
  return row;
}

/** @param {Line} line @param {boolean} isOpenable @param {boolean} isMarked */
function gutter(line, isOpenable, isMarked) {
  const mark = rowButton("mark", "", isMarked ? "Take the mark away (m)" : "Mark this line (m)");
  mark.setAttribute("aria-pressed", String(isMarked));
  const cell = element("span", "gutter", mark);
  if (isOpenable) {
    const toggle = rowButton("toggle", line.isOpen ? "▾" : "▸", "Show the fields (Enter)");
    toggle.setAttribute("aria-expanded", String(line.isOpen));
    cell.append(toggle);
  }
  return cell;
}

/** @param {number} at @param {TimeMode} mode */
function timeCell(at, mode) {
  const cell = element("time", "time");
  if (!Number.isNaN(at)) {
    cell.textContent = formatTime(at, mode, Date.now());
    cell.title = new Date(at).toISOString();
    cell.dataset.at = String(at);
  }
  return cell;
}

/** @param {string} source @param {number} hue */
function sourceCell(source, hue) {
  const cell = element("span", "source", printable(source));
  cell.style.setProperty("--hue", String(hue));
  cell.title = source;
  return cell;
}

/** @param {Line} line */
function foldButton(line) {
  const text = `${line.isFolded ? "▸" : "▾"} ${plural(line.nFollowers, "line")}`;
  const button = rowButton("fold", text, line.isFolded ? "Unfold (Enter)" : "Fold (Enter)");
  button.setAttribute("aria-expanded", String(!line.isFolded));
  return button;
}

/** @param {Part} part @returns {Node} */
function partNode({ text, classes, style, href }) {
  if (!classes && !style && !href) return document.createTextNode(text);
  const node = element(href ? "a" : / ?\bhit\b/.test(classes) ? "mark" : "span", classes, text);
  if (style?.fg) node.style.setProperty("--fg", style.fg);
  if (style?.bg) {
    node.style.color = style.fg;
    node.style.backgroundColor = style.bg;
  }
  if (node instanceof HTMLAnchorElement) {
    node.href = href;
    node.target = "_blank";
    node.rel = "noopener noreferrer";
    node.tabIndex = -1;
  }
  return node;
}
