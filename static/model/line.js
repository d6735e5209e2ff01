// @ts-check
// Line: one row of what is shown.
import { moment } from "../text/format.js";

/** @import { LineRecord } from "../protocol.js" */

/** More of one line than this is counted and not kept. */
export const MAX_LINE_CHARS = 1 << 20;

export class Line {
  /** Counts up from line to line, without holes. */ id = 0;
  /** Characters that were not kept. */ nLost = 0;
  /** As measured; 0 while unknown. */ height = 0;
  /** Its text is not whole yet. */ isPartial = false;
  /** What it holds is shown below it. */ isOpen = false;
  /** All of a long text is shown. */ isLong = false;
  /** Its row is out of date. */ isStale = false;
  /** The line it belongs to, of a stack trace. @type {Line | null} */ head = null;
  /** How many belong to it. */ nFollowers = 0;
  /** These are not shown. */ isFolded = false;
  /** For the order among sources; never less than that of the line before it of its source. */ order = NaN;

  /**
   * @param {"line" | "note"} kind a note is ours: a gap, a rotation
   * @param {string} source @param {string} cursor @param {string} text
   * @param {string} [time] @param {string} [level]
   */
  constructor(kind, source, cursor, text, time, level) {
    this.kind = kind;
    this.source = source;
    this.cursor = cursor;
    this.text = text;
    this.time = time;
    this.level = level;
  }

  /** @param {LineRecord} record */
  static of(record) {
    const line = new Line("line", record.source, record.cursor, record.line, record.time, record.level);
    line.isPartial = record.partial === true;
    return line;
  }

  /** The lines of records, pieces joined. @param {LineRecord[]} records */
  static all(records) {
    /** @type {Line[]} */ const lines = [];
    for (const record of records) {
      const last = lines.at(-1);
      if (last?.isPartial) last.join(record);
      else lines.push(Line.of(record));
    }
    return lines;
  }

  /** The next piece of it. @param {LineRecord} record */
  join(record) {
    const room = Math.max(0, MAX_LINE_CHARS - this.text.length);
    this.text += record.line.slice(0, room);
    this.nLost += Math.max(0, record.line.length - room);
    this.cursor = record.cursor;
    this.isPartial = record.partial === true;
    this.isStale = true;
  }

  get moment() {
    return moment(this.time);
  }

  get isHidden() {
    return this.head !== null && this.head.isFolded;
  }

  /** The record it came as. */
  toRecord() {
    const { source, cursor, time, level, text } = this;
    return { source, cursor, ...(time && { time }), ...(level && { level }), line: text };
  }
}
