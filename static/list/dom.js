// Elements, made without markup: text is only ever text.

const HIDDEN_MS = 200;

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {string} [className]
 * @param {(Node | string)[]} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function element(tag, className = "", ...children) {
  const made = document.createElement(tag);
  made.className = className;
  made.append(...children);
  return made;
}

/**
 * An element of the page, which has to be there.
 * @template {HTMLElement} [T=HTMLElement]
 * @param {string} id
 * @param {new () => T} [kind] where more is wanted than every element has
 * @returns {T}
 */
export function $(id, kind) {
  const found = document.getElementById(id);
  if (!(found instanceof (kind ?? HTMLElement))) throw new Error(`the page has no such #${id}`);
  return /** @type {T} */ (found);
}

/** The element that an event is about. @param {Event} event */
export const targetOf = ({ target }) => (target instanceof Element ? target : document.body);

/** Whether a button is pressed. @param {string} id */
export const isPressed = (id) => $(id).ariaPressed === "true";

/** @param {string} id @param {boolean} isOn */
export function setPressed(id, isOn) {
  $(id).ariaPressed = String(isOn);
}

/** Something is drawn once a frame at most, however often it changes in between. */
export class Frames {
  #isDue = false;

  /** @param {() => void} draw */
  constructor(draw) {
    this.draw = draw;
  }

  schedule() {
    if (this.#isDue) return;
    this.#isDue = true;
    // A hidden page has no frames; what comes meanwhile must not pile up.
    if (document.hidden) setTimeout(this.#draw, HIDDEN_MS);
    else requestAnimationFrame(this.#draw);
  }

  #draw = () => {
    this.#isDue = false;
    this.draw();
  };
}
