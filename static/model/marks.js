// @ts-check
// Marks: lines somebody wants to find again, by their places. They stand in the URL's fragment.

/** @import { Line } from "./line.js" */

const MAX_MARKS = 100;

export class Marks {
  /** The lines, where they were seen. @type {Map<string, Line | null>} */ #marks = new Map();

  /** @param {() => void} changed */
  constructor(changed) {
    this.changed = changed;
  }

  get cursors() {
    return [...this.#marks.keys()];
  }

  /** @param {string[]} cursors */
  set(cursors) {
    this.#marks = new Map(cursors.filter(Boolean).slice(0, MAX_MARKS).map((cursor) => [cursor, null]));
  }

  /** @param {Line} line */
  has = (line) => this.#marks.has(line.cursor);

  /** @param {Line} line @returns {boolean} whether it is marked now */
  toggle(line) {
    const isGone = this.#marks.delete(line.cursor);
    if (!isGone && this.#marks.size < MAX_MARKS) this.#marks.set(line.cursor, line);
    this.changed();
    return !isGone;
  }

  /** The marked lines of a pane, in order. @param {Line[]} lines that are there */
  among(lines) {
    if (!this.#marks.size) return [];
    for (const line of lines) if (this.#marks.has(line.cursor)) this.#marks.set(line.cursor, line);
    return [...this.#marks.values()].filter((line) => line !== null).sort((a, b) => a.id - b.id);
  }
}
