// @ts-check
// Log model: what one pane shows. A window of lines on a stream: it lets go of what is far from the
// eye and fetches it again by its place, so that memory stays flat and nothing is out of reach.
import { isGlob } from "../protocol.js";
import { Connection } from "../stream/connection.js";
import { size } from "../text/format.js";
import { LineStore } from "./line-store.js";
import { Older } from "./older.js";

const MAX_LINES = 20_000;
const MAX_CHARS = 24 << 20;
/** So many lines below the eye are enough, so many too few. */
const MOST_BELOW = 10_000;
const LEAST_BELOW = 3000;
const LEAST_ABOVE = 400;
const TAIL = { tail: "500" };
/** @type {Record<string, string>} */
export const ENDS = {
  eof: "no more lines",
  until: "the time is over",
  revoked: "no longer readable",
};

/** @implements {Client} */
export class LogModel {
  isFollowing = true;
  /** New lines since the eye left the end; none where they were not all seen coming. @type {number | null} */ unread = 0;
  /** The stream is not where the lines end. */ isDetached = false;
  isAtBegin = false;
  isCleared = false;
  isLoadingOlder = false;
  olderError = "";
  /** @type {EventRecord | null} the last, and when */ heartbeat = null;
  heartbeatAt = 0;
  lastLineAt = 0;
  /** What has come in all. */ nLines = 0;
  nErrors = 0;
  /** @type {{ text: string, at: number, isBad: boolean } | null} of a reconnect or gap */ news =
    null;
  /** Where the stream begins; none: after the last lines. @type {Position | null} */ #position;
  /** @type {{ target: Target | null } | null} */ #replacing = null;
  #wasLost = false;
  #isResumable = true;
  #epoch = 0;

  /**
   * @param {string} name
   * @param {URLSearchParams} query of the page
   * @param {Filter} filter
   * @param {Delegate} delegate
   */
  constructor(name, query, filter, delegate) {
    const { tail, since, from, until = "", follow = "" } = Object.fromEntries(query);
    this.name = name;
    this.filter = filter;
    this.delegate = delegate;
    this.store = new LineStore(isGlob(name));
    this.connection = new Connection(name, this);
    this.older = new Older(this.store, (source, before, lines) =>
      this.connection.older(source, before, lines),
    );
    this.#position = since || from ? { tail, since, from } : tail ? { tail } : TAIL;
    this.fixed = { until, follow };
    this.isFollowing = !from && !(since && !until);
  }

  // What the connection asks and tells.

  query() {
    const places = this.store.resumePlaces;
    const position =
      this.#position ?? (places.length && this.#isResumable ? { from: places.join("~") } : TAIL);
    return { ...position, ...this.filter, ...this.fixed };
  }

  /** @param {LineRecord[]} records @param {string} [start] */
  lines(records, start) {
    this.#replaceIfDue();
    this.#position = null;
    if (this.isDetached) return;
    const added = this.store.append(records, start);
    this.lastLineAt = Date.now();
    this.nLines += added.length;
    for (const { level } of added) if (level === "error" || level === "fatal") this.nErrors++;
    if (this.unread !== null && (!this.isFollowing || document.hidden)) this.unread += added.length;
    this.delegate.linesChanged();
  }

  /** @param {EventRecord} record */
  event(record) {
    this.#replaceIfDue();
    const { event, source = this.name, cursor, reason = "" } = record;
    const note = (text, tone = "") => this.isDetached || this.store.addNote(source, text, tone);
    if (event === "start") this.#started(record);
    else if (event === "heartbeat") {
      Object.assign(this, { heartbeat: record, heartbeatAt: Date.now() });
      const places = this.store.places.get(this.name);
      if (places && cursor && !this.isDetached) places.last = cursor;
    } else if (event === "gap") {
      const text = `gap of ${size(record.bytes ?? 0)} (${reason.replace("_", " ")})`;
      this.news = { text, at: Date.now(), isBad: true };
      note(`${text}: these bytes are gone for good`, "warn");
    } else if (event === "rotated") note(`rotated (${record.how})`);
    else if (event === "unreadable") note(`${source} cannot be read: ${reason}`, "warn");
    else if (ENDS[reason]) note(`the end: ${ENDS[reason]}`);
    this.delegate.stateChanged();
  }

  #started({ resumable = true, cursor = "", sources = this.store.isMerged ? [] : [this.name] }) {
    const isResumed = this.#position === null && resumable;
    this.#isResumable = resumable;
    this.#position = null;
    const cursors = cursor.split("~");
    sources.forEach((source, i) => {
      const places = this.store.placesOf(source);
      if (cursors.length === sources.length && !places.last) places.first ??= cursors[i];
    });
    if (!this.#wasLost) return;
    this.#wasLost = false;
    this.news = {
      text: isResumed ? "resumed, nothing missed" : "reconnected; lines may be missing",
      at: Date.now(),
      isBad: !isResumed,
    };
    if (!isResumed)
      this.store.addNote(this.name, "reconnected: what came meanwhile may be missing here", "warn");
  }

  /** @param {State} state */
  stateChanged(state) {
    this.#wasLost ||= state.kind === "waiting";
    this.olderError = "";
    this.delegate.stateChanged();
  }

  // What the pane asks for.

  /**
   * Begins elsewhere; the lines stay until others come.
   * @param {Position} position
   * @param {Target | null} target none: the end
   */
  async reopen(position, target) {
    this.#epoch++;
    this.#position = position;
    this.#replacing = { target };
    this.isFollowing = target === null;
    await this.connection.restart();
    this.#replaceIfDue();
  }

  #replaceIfDue() {
    if (!this.#replacing) return;
    const { target } = this.#replacing;
    this.#replacing = null;
    this.store.clear();
    this.older.forget();
    const unread = this.isFollowing ? 0 : null;
    Object.assign(this, {
      isDetached: false,
      isAtBegin: false,
      isCleared: false,
      isLoadingOlder: false,
      olderError: "",
      heartbeat: null,
      unread,
    });
    this.delegate.linesReplaced(target);
  }

  openTail = () => this.reopen(TAIL, null);

  /**
   * Applies a filter to what has passed and what comes.
   * @param {Filter} filter
   * @param {{ line: Line, offset: number } | null} anchor the line to stay at; none: the end
   */
  async setFilter(filter, anchor) {
    const before = { filter: this.filter, isFollowing: this.isFollowing };
    const from =
      anchor && (this.store.isMerged ? this.store.placesAt(anchor.line) : anchor.line.cursor);
    this.filter = filter;
    try {
      if (anchor && from)
        await this.reopen({ from }, { cursor: anchor.line.cursor, offset: anchor.offset });
      else await this.openTail();
    } catch (error) {
      // What came meanwhile was dropped: on from the last line, under the old filter.
      Object.assign(this, before);
      this.#replacing = this.#position = null;
      await this.connection.restart();
      throw error;
    }
  }

  /** @param {boolean} isFollowing */
  setFollowing(isFollowing) {
    if (isFollowing === this.isFollowing) return;
    this.isFollowing = isFollowing;
    if (isFollowing || this.unread === null) this.unread = 0;
    if (isFollowing && this.isBehind) void this.openTail();
    this.delegate.stateChanged();
  }

  /** The last line here is not the last there is. */
  get isBehind() {
    return this.isDetached || this.connection.isPaused;
  }

  /**
   * So much lies outside the view: more is fetched, or let go of.
   * @param {number} nAbove
   * @param {number} nBelow
   */
  look(nAbove, nBelow) {
    if (this.#replacing) return;
    this.#trim(nAbove, nBelow);
    if (this.isFollowing || nBelow < LEAST_BELOW) {
      if (this.isDetached) this.#attach();
      else this.connection.pause(false);
    } else if (nBelow > MOST_BELOW) this.connection.pause(true);
    if (!this.isFollowing && nAbove < LEAST_ABOVE && !this.isAtBegin && !this.olderError)
      void this.loadOlder();
  }

  #attach() {
    this.isDetached = false;
    const n = this.store.resumePlaces.length;
    if (n > 100 || !n) void this.openTail();
    else this.connection.restart().catch(this.openTail);
  }

  #trim(nAbove, nBelow) {
    const { store } = this;
    const { length } = store.lines;
    const excess = Math.max(
      length - MAX_LINES,
      store.nChars > MAX_CHARS && length > 200 ? length >> 2 : 0,
    );
    if (excess <= 0) return;
    if (this.isFollowing || nAbove > nBelow) {
      // A page that is on its way would not lie beside what stays.
      this.#epoch++;
      store.trimTop(Math.min(excess + 1000, this.isFollowing ? length : nAbove));
      this.older.forget();
      this.isAtBegin = this.isCleared = this.isLoadingOlder = false;
    } else {
      store.trimBottom(Math.min(excess, nBelow));
      this.isDetached = true;
      this.unread = null;
      this.connection.pause(true);
    }
  }

  /** The page before the first line. */
  async loadOlder() {
    if (
      this.isLoadingOlder ||
      this.#replacing ||
      !this.store.places.size ||
      this.connection.state.kind === "connecting"
    )
      return;
    const epoch = this.#epoch;
    const change = { isLoadingOlder: false, isAtBegin: false, olderError: "" };
    Object.assign(this, { ...change, isLoadingOlder: true, isCleared: false });
    try {
      change.isAtBegin = !(await this.older.load(() => epoch === this.#epoch));
    } catch (error) {
      change.olderError = error.message;
    }
    if (epoch !== this.#epoch) return;
    Object.assign(this, change);
    this.delegate.linesChanged();
  }

  /** Takes away what is shown; it can be fetched again. */
  clear() {
    this.#epoch++;
    const places = [...this.store.places];
    this.store.clear();
    for (const [source, { first, last }] of places)
      this.store.placesOf(source).first = last ?? first;
    this.older.forget();
    Object.assign(this, { isLoadingOlder: false, isAtBegin: true, isCleared: true, unread: 0 });
    this.delegate.linesChanged();
  }
}
