// @ts-check
// Row: a line as an element.
import { decorate } from "../text/decorate.js";
import { brief } from "../text/fields.js";
import { formatTime, plural, size } from "../text/format.js";
import { printable } from "../text/visible.js";
import { element } from "./dom.js";

const MAX_VALUES = 300;

/**
 * @param {Line} line
 * @param {Look} look
 * @param {boolean} isMerged
 * @param {(source: string) => number} hue
 */
export function buildRow(line, look, isMerged, hue) {
  const { note, level, nFollowers, isOpen, isFolded } = line;
  if (note !== undefined)
    return element("div", `row note ${note}`, element("span", "text", line.text));
  const at = line.moment;
  const isTimed = look.time !== "written" && !Number.isNaN(at);
  const { parts, nMore, fields } = decorate(line.text, {
    highlight: look.highlight,
    isTimed,
    level,
    isWhole: isOpen,
  });
  const row = element("div", line.head ? "row follower" : "row");
  if (level) row.dataset.level = level;
  const isMarked = look.marks.has(line);
  const gutter = element(
    "span",
    "gutter",
    button("mark", "", "Mark (m)", isMarked, "aria-pressed"),
  );
  if (fields) gutter.append(button("toggle", isOpen ? "▾" : "▸", "Fields (Enter)", isOpen));
  row.append(gutter);
  if (look.time !== "written") row.append(timeCell(at, look.time));
  if (isMerged) {
    const source = element("span", "source", printable(line.source));
    source.style.setProperty("--hue", String(hue(line.source)));
    row.append(source);
  }
  row.append(element("span", "text", ...parts.map(partNode)));
  if (nMore + line.nLost)
    row.append(
      button(
        "more",
        nMore ? `show ${size(nMore)} more` : `${size(line.nLost)} are left out`,
        "Whole line (Enter)",
        isOpen,
      ),
    );
  if (nFollowers)
    row.append(
      button(
        "fold",
        `${isFolded ? "▸" : "▾"} ${plural(nFollowers, "line")}`,
        "Fold (Enter)",
        !isFolded,
      ),
    );
  if (isOpen && fields) row.append(fieldTree(fields));
  return row;
}

/** In a row; keys do the same, so it is no stop for Tab. */
function button(className, text, label, isOn, state = "aria-expanded") {
  const made = element("button", className, text);
  Object.assign(made, { type: "button", tabIndex: -1, title: label });
  made.setAttribute("aria-label", text ? `${text}: ${label}` : label);
  made.setAttribute(state, String(isOn));
  return made;
}

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
  add(tree, [...(message ? [["message", message]] : []), ...fields]);
  return tree;
}
