// Line store: a bounded window of lines without holes, and for each source the places between which
// it lies, so that what is let go of can be fetched again. Lines of several sources stand in the
// order of time; those of one never change theirs.
import { joinTrace, Line } from "./line.js";

/** Before the first line of a source here, and after its last. */
/** @typedef {{ first: string | null, last: string | null }} Places */

/** A line that comes late by time is put among at most so many. */
const MAX_LATE_LINES = 5000;
/** The last piece of a line is not further back among those of other sources. */
const MAX_PIECE_LINES = 200;

export class LineStore {
  /** @type {Line[]} */ lines = [];
  /** @type {Map<string, Places>} */ places = new Map();
  nChars = 0;
  /** The first line that a stream brought. @type {Line | null} */ boundary = null;

  /** @param {boolean} isMerged of several sources */
  constructor(isMerged) {
    this.isMerged = isMerged;
  }

  /** Its index; -1 if it has gone. @param {Line} line */
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
    const places = this.places.get(source) ?? { first: null, last: null };
    this.places.set(source, places);
    return places;
  }

  /** The last line of a source. @param {string} source */
  lastOf(source, lines = this.lines) {
    return lines.findLast((line) => line.source === source && line.note === undefined);
  }

  /**
   * Adds what a stream brought after the place `start`; pieces are joined with what was there.
   * @param {LineRecord[]} records
   * @param {string} [start]
   * @returns {Line[]} the new lines
   */
  append(records, start) {
    /** @type {Line[]} */ const added = [];
    for (const record of records) {
      const places = this.placesOf(record.source);
      if (record === records[0] && start && !start.includes("~")) places.first ??= start;
      places.last = record.cursor;
      const open =
        this.lastOf(record.source, added) ??
        this.lastOf(record.source, this.lines.slice(-(this.isMerged ? MAX_PIECE_LINES : 1)));
      if (open?.isPartial) open.join(record);
      else added.push(new Line(record));
      this.nChars += record.line.length;
    }
    if (this.isMerged) this.#mergeIn(added);
    else for (const line of added) this.#push(line);
    this.boundary ??= this.lines[0] ?? null;
    return added;
  }

  /**
   * A word of ours among the lines.
   * @param {string} source
   * @param {string} text
   * @param {string} tone
   */
  addNote(source, text, tone) {
    const note = new Line({ source, cursor: "", line: text }, tone);
    note.order = this.lines.at(-1)?.order ?? NaN;
    this.#push(note);
  }

  /** @param {Line} line */
  #push(line) {
    const last = this.lines.at(-1);
    line.id = last ? last.id + 1 : 0;
    joinTrace(last, line);
    this.lines.push(line);
  }

  /** @param {Line[]} added */
  #mergeIn(added) {
    /** @type {Map<string, number>} */ const reached = new Map();
    for (const line of added) {
      const { source, moment } = line;
      const before = reached.get(source) ?? this.lastOf(source)?.order ?? -Infinity;
      line.order = moment > before ? moment : before;
      reached.set(source, line.order);
    }
    added.sort((a, b) => a.order - b.order);
    let from = this.lines.length;
    const least = Math.max(0, from - MAX_LATE_LINES);
    while (from > least && this.lines[from - 1].order > added[0]?.order) from--;
    const late = this.lines.splice(from);
    for (const line of late) line.head = null;
    let i = 0;
    for (const line of added) {
      while (i < late.length && !(late[i].order > line.order)) this.#push(late[i++]);
      this.#push(line);
    }
    while (i < late.length) this.#push(late[i++]);
  }

  /** Puts lines before all others, in order and without a hole. @param {Line[]} lines */
  prepend(lines) {
    const first = this.lines.find((line) => line.note === undefined);
    const last = lines.at(-1);
    if (last?.isPartial && first?.source === last.source) {
      first.text = last.text + first.text;
      first.isStale = true;
      lines.pop();
    }
    let id = (this.lines[0]?.id ?? 0) - lines.length;
    /** @type {Line | undefined} */ let before;
    for (const line of lines) {
      line.id = id++;
      this.nChars += line.text.length;
      joinTrace(before, line);
      before = line;
    }
    // A trace of which only the end was here gets its head.
    for (const line of this.lines) {
      if (!joinTrace(before, line)) break;
      before = line;
    }
    this.lines = lines.concat(this.lines);
  }

  /** Lets go of the first lines. @param {number} n */
  trimTop(n) {
    for (const line of this.lines.splice(0, n)) {
      this.nChars -= line.text.length;
      if (line.note === undefined) this.placesOf(line.source).first = line.cursor;
    }
    for (const line of this.lines) {
      if (!line.head || line.head.id >= this.lines[0].id) break;
      line.head = null;
    }
  }

  /** Lets go of the last lines. @param {number} n */
  trimBottom(n) {
    const gone = this.lines.splice(Math.max(0, this.lines.length - n));
    for (const line of gone) {
      this.nChars -= line.text.length;
      if (line.head) line.head.nFollowers--;
    }
    for (const source of new Set(gone.map((line) => line.source))) {
      const places = this.placesOf(source);
      places.last = this.lastOf(source)?.cursor ?? places.first;
    }
  }

  /** The place just before a line; none where it is not known. @param {Line} line */
  placeBefore(line) {
    return (
      this.lastOf(line.source, this.lines.slice(0, this.indexOf(line)))?.cursor ??
      this.places.get(line.source)?.first
    );
  }

  /** For each source the place just after a line; none unless all are known. @param {Line} line */
  placesAt(line) {
    const at = new Map([...this.places].map(([source, { first }]) => [source, first]));
    for (const { note, source, cursor } of this.lines.slice(0, this.indexOf(line) + 1))
      if (note === undefined) at.set(source, cursor);
    const places = [...at.values()];
    return places.every(Boolean) ? places.join("~") : null;
  }

  /** Where a stream goes on after the last lines. */
  get resumePlaces() {
    return [...this.places.values()].map(({ first, last }) => last ?? first).filter(Boolean);
  }
}
