// Marks: lines somebody wants to find again, by their places. They stand in the URL's fragment.

const MAX_MARKS = 100;

export class Marks {
  /** The lines, where they were seen. @type {Map<string, Line | null>} */ all = new Map();

  /** @param {string[]} cursors */
  set(cursors) {
    this.all = new Map(
      cursors
        .filter(Boolean)
        .slice(0, MAX_MARKS)
        .map((cursor) => [cursor, null]),
    );
  }

  /** @param {Line} line */
  has = (line) => this.all.has(line.cursor);

  /** @param {Line} line */
  toggle(line) {
    if (!this.all.delete(line.cursor) && this.all.size < MAX_MARKS) this.all.set(line.cursor, line);
  }

  /** Those that were seen, in order. @param {Line[]} lines that are there */
  seen(lines) {
    for (const line of this.all.size ? lines : [])
      if (this.has(line)) this.all.set(line.cursor, line);
    return /** @type {Line[]} */ ([...this.all.values()].filter(Boolean)).sort(
      (a, b) => a.id - b.id,
    );
  }
}
