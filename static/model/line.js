// Line: one row of what is shown.
import { isContinuation } from "../text/decorate.js";
import { moment } from "../text/format.js";

/** More of one line than this is counted and not kept. */
export const MAX_LINE_CHARS = 1 << 20;

export class Line {
  /** Counts up from line to line, without holes. */ id = 0;
  /** Characters that were not kept. */ nLost = 0;
  /** As measured; 0 while unknown. */ height = 0;
  /** What it holds is shown below it, or all of a long text. */ isOpen = false;
  /** Its row is out of date. */ isStale = false;
  /** The line it belongs to, of a stack trace. @type {Line | null} */ head = null;
  /** How many belong to it, and whether they are not shown. */ nFollowers = 0;
  isFolded = false;
  /** For the order among sources; never less than that of the line before it of its source. */
  order = NaN;

  /** @param {LineRecord} record @param {string} [note] a word of ours, and how grave it is */
  constructor({ source, cursor, line, time, level, partial = false }, note) {
    this.source = source;
    this.cursor = cursor;
    this.text = line;
    this.time = time;
    this.level = level;
    /** It goes on. */
    this.isPartial = partial;
    this.note = note;
  }

  /** The lines of records, pieces joined. @param {LineRecord[]} records */
  static all(records) {
    /** @type {Line[]} */ const lines = [];
    for (const record of records) {
      const last = lines.at(-1);
      if (last?.isPartial) last.join(record);
      else lines.push(new Line(record));
    }
    return lines;
  }

  /** The next piece of it. @param {LineRecord} record */
  join({ line, cursor, partial = false }) {
    const room = Math.max(0, MAX_LINE_CHARS - this.text.length);
    this.text += line.slice(0, room);
    this.nLost += Math.max(0, line.length - room);
    Object.assign(this, { cursor, isPartial: partial, isStale: true });
  }

  get moment() {
    return moment(this.time);
  }

  get isHidden() {
    return this.head?.isFolded ?? false;
  }

  /** The record it came as. */
  toRecord() {
    const { source, cursor, time, level, text: line } = this;
    return { source, cursor, time, level, line };
  }
}

/**
 * A line of a stack trace belongs to the line before it.
 * @param {Line | undefined} before
 * @param {Line} line
 * @returns whether it does
 */
export function joinTrace(before, line) {
  if (before?.source !== line.source || before.note !== line.note) return false;
  if (line.note !== undefined || line.time) return false;
  // An empty line is no end of a trace.
  const isBlank = before.head !== null && !line.text;
  if (!isBlank && !isContinuation(line.text, !line.level)) return false;
  if (line.head) line.head.nFollowers--;
  line.head = before.head ?? before;
  line.head.nFollowers++;
  line.head.isStale = true;
  return true;
}
