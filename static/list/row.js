// Row: a line as an element.
import { decorate } from "../text/decorate.js";
import { brief } from "../text/fields.js";
import { formatTime, plural, size } from "../text/format.js";
import { printable } from "../text/visible.js";
import { element } from "./dom.js";

const MAX_VALUES = 300;
const FIRST_HUE = 210;
/** Neighbours in the order of their coming are far apart on the wheel. */
const HUE_STEP = 137;

/**
 * @param {Line} line
 * @param {Appearance} appearance
 * @param {boolean} isMerged
 * @param {(source: string) => number} hue
 */
export function buildRow(line, appearance, isMerged, hue) {
  const { note, level, nFollowers, isOpen, isFolded } = line;
  if (note !== undefined)
    return element("div", `row note ${note}`, element("span", "text", line.text));
  const { highlight, time, marks } = appearance;
  const at = line.moment;
  const isTimed = time !== "written" && !Number.isNaN(at);
  const options = { highlight, isTimed, level, isWhole: isOpen };
  const { parts, nMore, fields } = decorate(line.text, options);
  const row = element("div", line.head ? "row follower" : "row");
  if (level) row.dataset.level = level;
  const mark = button("mark", "", "Mark (m)", marks.has(line), "aria-pressed");
  const gutter = element("span", "gutter", mark);
  if (fields) gutter.append(button("toggle", isOpen ? "▾" : "▸", "Fields (Enter)", isOpen));
  row.append(gutter);
  if (time !== "written") row.append(timeCell(at, time));
  if (isMerged) {
    const source = element("span", "source", printable(line.source));
    source.style.setProperty("--hue", String(hue(line.source)));
    row.append(source);
  }
  row.append(element("span", "text", ...parts.map(partNode)));
  if (nMore + line.nLost) {
    const words = nMore ? `show ${size(nMore)} more` : `${size(line.nLost)} are left out`;
    row.append(button("more", words, "Whole line (Enter)", isOpen));
  }
  if (nFollowers) {
    const words = `${isFolded ? "▸" : "▾"} ${plural(nFollowers, "line")}`;
    row.append(button("fold", words, "Fold (Enter)", !isFolded));
  }
  if (isOpen && fields) row.append(fieldTree(fields));
  return row;
}

/**
 * In a row; keys do the same, so it is no stop for Tab.
 * @param {string} className
 * @param {string} text
 * @param {string} label
 * @param {boolean} isOn
 */
function button(className, text, label, isOn, state = "aria-expanded") {
  const made = element("button", className, text);
  Object.assign(made, { type: "button", tabIndex: -1, title: label });
  made.setAttribute("aria-label", text ? `${text}: ${label}` : label);
  made.setAttribute(state, String(isOn));
  return made;
}

/** @param {number} at @param {TimeMode} mode */
function timeCell(at, mode) {
  const cell = element("time", "time");
  if (!Number.isNaN(at)) {
    cell.textContent = formatTime(at, mode, Date.now());
    cell.title = new Date(at).toISOString();
  }
  return cell;
}

/** @param {Part} part */
function partNode({ text, classes, style, href }) {
  if (!classes && !style && !href) return text;
  const node = element(href ? "a" : classes.includes("hit") ? "mark" : "span", classes, text);
  if (style?.fg) node.style.setProperty("--fg", style.fg);
  if (style?.bg) Object.assign(node.style, { color: style.fg, backgroundColor: style.bg });
  if (href)
    Object.assign(node, { href, target: "_blank", rel: "noopener noreferrer", tabIndex: -1 });
  return node;
}

/** What a JSON or logfmt line holds, one value a line. @param {Fields} fields */
function fieldTree({ message, fields }) {
  let left = MAX_VALUES;
  /** @param {HTMLElement} parent @param {[string, unknown][]} entries */
  const add = (parent, entries) => {
    for (const [key, value] of entries) {
      if (left-- <= 0) return;
      const name = element("span", "key", printable(key));
      if (value === null || typeof value !== "object") {
        parent.append(
          element(
            "div",
            "",
            name,
            ": ",
            element("span", `value ${typeof value}`, printable(brief(value))),
          ),
        );
        continue;
      }
      const inner = Object.entries(value);
      const group = element(
        "details",
        "",
        element(
          "summary",
          "",
          name,
          Array.isArray(value) ? ` [${inner.length}]` : ` {${inner.length}}`,
        ),
      );
      group.open = true;
      add(group, inner);
      parent.append(group);
    }
  };
  const tree = element("div", "tree");
  if (message) add(tree, [["message", message]]);
  add(tree, fields);
  return tree;
}

/** A colour for each source of a pane. */
export class Hues {
  /** @type {Map<string, number>} */ #hues = new Map();

  /** @param {string} source */
  of = (source) => {
    const hue = this.#hues.get(source) ?? (FIRST_HUE + this.#hues.size * HUE_STEP) % 360;
    this.#hues.set(source, hue);
    return hue;
  };
}
