// Health: what is known of a stream beside its lines, and what is said of it among them.
import { size } from "../text/format.js";

/** @typedef {{ text: string, tone: "" | "warn" }} Note */

/** Why a stream ends for good. @type {Record<string, string>} */
export const ENDS = {
  eof: "no more lines",
  until: "the time is over",
  revoked: "no longer readable",
};

/** @param {EventRecord} record */
export const gapOf = ({ bytes = 0, reason = "" }) =>
  `gap of ${size(bytes)} (${reason.replace("_", " ")})`;

/** @param {EventRecord} record @param {string} source @returns {Note | null} */
export function noteOf(record, source) {
  const { event, reason = "", how } = record;
  if (event === "gap")
    return { text: `${gapOf(record)}: these bytes are gone for good`, tone: "warn" };
  if (event === "rotated") return { text: `rotated (${how})`, tone: "" };
  if (event === "unreadable") return { text: `${source} cannot be read: ${reason}`, tone: "warn" };
  if (event === "end" && ENDS[reason]) return { text: `the end: ${ENDS[reason]}`, tone: "" };
  return null;
}

export class Health {
  /** The last one, and when. @type {EventRecord | null} */ heartbeat = null;
  heartbeatAt = 0;
  lastLineAt = 0;
  /** What has come in all. */ nLines = 0;
  nErrors = 0;
  /** Of a reconnect or gap. @type {{ text: string, at: number, isBad: boolean } | null} */
  news = null;
  /** The connection was lost, and a stream has not begun since. */ wasLost = false;

  /** @param {Line[]} lines that have come */
  count(lines) {
    this.lastLineAt = Date.now();
    this.nLines += lines.length;
    for (const { level } of lines) if (level === "error" || level === "fatal") this.nErrors++;
  }

  /** @param {EventRecord} heartbeat */
  beat(heartbeat) {
    this.heartbeat = heartbeat;
    this.heartbeatAt = Date.now();
  }

  /** @param {string} text @param {boolean} isBad */
  tell(text, isBad) {
    this.news = { text, at: Date.now(), isBad };
  }

  /** A stream begins. @param {boolean} isResumed @returns whether it was lost before */
  cameBack(isResumed) {
    const { wasLost } = this;
    this.wasLost = false;
    if (wasLost)
      this.tell(
        isResumed ? "resumed, nothing missed" : "reconnected; lines may be missing",
        !isResumed,
      );
    return wasLost;
  }
}
