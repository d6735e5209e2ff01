// @ts-check
// Elements, made without markup: text is only ever text.

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag @param {string} [className] @param {(Node | string)[]} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function element(tag, className = "", ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (children.length) made.append(...children);
  return made;
}

/** A button that only rows have: the keys that do the same are `label`ed. @param {string} className @param {string} text @param {string} label */
export function rowButton(className, text, label) {
  const button = element("button", className, text);
  button.type = "button";
  button.tabIndex = -1;
  button.title = label;
  button.setAttribute("aria-label", label);
  return button;
}

/**
 * An element of the page that has to be there.
 * @template {HTMLElement} T
 * @param {string} id @param {new () => T} type @returns {T}
 */
export function byId(id, type) {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new Error(`the page has no ${type.name} #${id}`);
  return found;
}
