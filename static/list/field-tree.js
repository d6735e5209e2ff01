// @ts-check
// Field tree: what a JSON or logfmt line holds, one value a line.
import { brief } from "../text/fields.js";
import { printable } from "../text/visible.js";
import { element } from "./dom.js";

/** @import { Fields } from "../text/fields.js" */

const MAX_VALUES = 300;

/** @param {Fields} fields */
export function fieldTree(fields) {
  const tree = element("div", "tree");
  let left = MAX_VALUES;
  const add = (/** @type {HTMLElement} */ parent, /** @type {[string, unknown][]} */ entries) => {
    for (const [key, value] of entries) {
      if (left-- <= 0) return;
      const name = element("span", "key", printable(key));
      if (value !== null && typeof value === "object") {
        const inner = Object.entries(value);
        const hint = Array.isArray(value) ? `[${inner.length}]` : `{${inner.length}}`;
        const group = element("details", "", element("summary", "", name, ` ${hint}`));
        group.open = true;
        add(group, inner);
        parent.append(group);
      } else {
        const cell = element("span", `value ${value === null ? "null" : typeof value}`, printable(brief(value)));
        parent.append(element("div", "field", name, ": ", cell));
      }
    }
  };
  /** @type {[string, unknown][]} */ const message = fields.message ? [["message", fields.message]] : [];
  add(tree, [...message, ...fields.fields]);
  return tree;
}
