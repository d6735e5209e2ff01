// @ts-check
// Elements, made without markup: text is only ever text.

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag @param {string} [className] @param {(Node | string)[]} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function element(tag, className = "", ...children) {
  const made = document.createElement(tag);
  made.className = className;
  made.append(...children);
  return made;
}

/** An element of the page that has to be there. @param {string} id @returns {any} */
export const $ = (id) => document.getElementById(id);
