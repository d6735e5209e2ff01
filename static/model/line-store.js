// @ts-check
// Line store: a bounded window of lines without holes, and for each source the places between which it
// lies, so that what is let go of can be fetched again. Lines of several sources stand in the order of
// time; those of one never change theirs.
import { isContinuation } from "../text/stack.js";
import { Line } from "./line.js";

/** @import { LineRecord } from "../protocol.js" */
/** @typedef {{ first: string | null, last: string | null }} Places before its first line here, after its last */

/** A line that comes late by time is put among at most so many. */
const MAX_LATE_LINES = 5000;

export class LineStore {
  /** @type {Line[]} */ lines = [];
  /** @type {Map<string, Places>} */ places = new Map();
  nChars = 0;
  /** The first line that a stream brought. @type {Line | null} */ boundary = null;

  /** @param {boolean} isMerged of several sources */
  constructor(isMerged) {
    this.isMerged = isMerged;
  }

  get length() {
    return this.lines.length;
  }

  /** @param {Line} line its index; -1 if it has gone */
  indexOf(line) {
    const index = this.lines.length ? line.id - this.lines[0].id : -1;
    return this.lines[index] === line ? index : -1;
  }

  clear() {
    this.lines = [];
    this.boundary = null;
    this.places.clear();
    this.nChars = 0;
  }

  /** @param {string} source */
  placesOf(source) {
    let places = this.places.get(source);
    if (!places) this.places.set(source, (places = { first: null, last: null }));
    return places;
  }

  /**
   * Adds what a stream brought. @param {LineRecord[]} records
   * @param {string} [start] the place before the first of them
   * @returns {Line[]} the new lines; pieces are joined with what was there
   */
  append(records, start) {
    /** @type {Line[]} */ const added = [];
    for (const record of records) {
      const places = this.placesOf(record.source);
      if (places.first === null && start && !start.includes("~") && record === records[0]) places.first = start;
      places.last = record.cursor;
      const open = this.#openLine(record.source, added);
      if (open) {
        open.join(record);
        this.nChars += record.line.length;
      } else added.push(this.#taken(Line.of(record)));
    }
    this.#appendLines(added);
    this.boundary ??= this.lines[0] ?? null;
    return added;
  }

  /** @param {Line} line */
  #taken(line) {
    this.nChars += line.text.length;
    return line;
  }

  /** The line of a source that goes on. @param {string} source @param {Line[]} added */
  #openLine(source, added) {
    for (const lines of [added, this.lines]) {
      for (let i = lines.length - 1; i >= 0 && i >= lines.length - 200; i--) {
        if (lines[i].source === source && lines[i].kind === "line") return lines[i].isPartial ? lines[i] : null;
      }
    }
    return null;
  }

  /** A word of ours among the lines. @param {string} source @param {string} text @param {string} level */
  addNote(source, text, level) {
    const note = new Line("note", source, "", text, undefined, level);
    note.order = this.lines.at(-1)?.order ?? NaN;
    this.#push(note);
    return note;
  }

  /** @param {Line} line */
  #push(line) {
    const last = this.lines.at(-1);
    line.id = last ? last.id + 1 : 0;
    group(last, line);
    this.lines.push(line);
  }

  /** @param {Line[]} added */
  #appendLines(added) {
    if (!this.isMerged) {
      for (const line of added) this.#push(line);
      return;
    }
    this.#order(added);
    added.sort((a, b) => a.order - b.order);
    const earliest = added[0]?.order;
    let from = this.lines.length;
    const least = Math.max(0, from - MAX_LATE_LINES);
    while (from > least && this.lines[from - 1].order > earliest) from--;
    const late = this.lines.splice(from);
    for (const line of late) line.head = null;
    for (const line of mergeLines(late, added)) this.#push(line);
  }

  /** Gives each its place in time: its own, or that of the line before it. @param {Line[]} lines */
  #order(lines) {
    /** @type {Map<string, number>} */ const reached = new Map();
    for (const line of lines) {
      let before = reached.get(line.source);
      if (before === undefined) before = this.#lastOrder(line.source);
      const own = line.moment;
      line.order = Math.max(Number.isNaN(own) ? before : own, before);
      reached.set(line.source, line.order);
    }
  }

  /** @param {string} source */
  #lastOrder(source) {
    for (let i = this.lines.length - 1; i >= 0; i--) if (this.lines[i].source === source) return this.lines[i].order;
    return -Infinity;
  }

  /**
   * Puts lines before all others; they are in order, and next to what is here.
   * @param {Line[]} lines
   */
  prepend(lines) {
    const first = this.lines.find((line) => line.kind === "line");
    const last = lines.at(-1);
    if (last?.isPartial && first && first.source === last.source) {
      first.text = last.text + first.text;
      first.isStale = true;
      lines.pop();
    }
    let id = (this.lines[0]?.id ?? 0) - lines.length;
    for (const line of lines) {
      line.id = id++;
      this.#taken(line);
    }
    for (let i = 1; i < lines.length; i++) group(lines[i - 1], lines[i]);
    let before = lines.at(-1);
    // A trace of which only the end was here gets its head.
    for (let i = 0; before && i < this.lines.length && !this.lines[i].head; i++) {
      if (!group(before, this.lines[i])) break;
      before = this.lines[i];
    }
    this.lines = lines.concat(this.lines);
  }

  /** Lets go of the first lines. @param {number} n @returns {Line[]} */
  trimTop(n) {
    const gone = this.lines.splice(0, n);
    for (const line of gone) {
      this.nChars -= line.text.length;
      if (line.kind === "line") this.placesOf(line.source).first = line.cursor;
    }
    for (const line of this.lines) {
      if (!line.head || line.head.id >= this.lines[0].id) break;
      line.head = null;
    }
    return gone;
  }

  /** Lets go of the last lines. @param {number} n */
  trimBottom(n) {
    const gone = this.lines.splice(Math.max(0, this.lines.length - n));
    /** @type {Set<string>} */ const sources = new Set();
    for (const line of gone) {
      this.nChars -= line.text.length;
      if (line.head) line.head.nFollowers--;
      if (line.kind === "line") sources.add(line.source);
    }
    for (const source of sources) {
      const places = this.placesOf(source);
      places.last = this.lines.findLast((line) => line.source === source && line.kind === "line")?.cursor ?? places.first;
    }
  }

  /** The place just before a line; none where it is not known. @param {Line} line */
  placeBefore(line) {
    for (let i = this.indexOf(line) - 1; i >= 0; i--) {
      const other = this.lines[i];
      if (other.source === line.source && other.kind === "line") return other.cursor;
    }
    return this.places.get(line.source)?.first ?? null;
  }

  /** For each source the place just after a line; none unless all are known. @param {Line} line */
  placesAt(line) {
    /** @type {Map<string, string | null>} */ const at = new Map();
    for (const [source, { first }] of this.places) at.set(source, first);
    const end = this.indexOf(line);
    for (let i = 0; i <= end; i++) if (this.lines[i].kind === "line") at.set(this.lines[i].source, this.lines[i].cursor);
    const places = [...at.values()];
    return places.every((place) => place !== null) ? places : null;
  }

  /** Where a stream goes on after the last lines. */
  resumePlaces() {
    return [...this.places.values()].map((places) => places.last ?? places.first).filter((place) => place !== null);
  }
}

/** A line of a stack trace belongs to the line before it. @param {Line | undefined} before @param {Line} line */
function group(before, line) {
  const isMember = before?.kind === "line" && line.kind === "line" && before.source === line.source &&
    !line.time && !line.level && isContinuation(line.text);
  if (!isMember) return false;
  line.head = before.head ?? before;
  line.head.nFollowers++;
  line.head.isStale = true;
  return true;
}

/** Both are in order; of equals those of `a` come first. @param {Line[]} a @param {Line[]} b */
export function mergeLines(a, b) {
  /** @type {Line[]} */ const merged = [];
  let i = 0;
  for (const line of b) {
    while (i < a.length && !(a[i].order > line.order)) merged.push(a[i++]);
    merged.push(line);
  }
  for (; i < a.length; i++) merged.push(a[i]);
  return merged;
}
