// Log model: what one pane shows. A window of lines on a stream, what was said about it, and where
// it goes on; memory stays flat and nothing is out of reach.
import { isGlob } from "../protocol.js";
import { Connection } from "../stream/connection.js";
import { gapOf, Health, noteOf } from "./health.js";
import { LineStore } from "./line-store.js";
import { Backfill } from "./older.js";

const TAIL = { tail: "500" };

/** @implements {Client} */
export class LogModel {
  isFollowing = true;
  /** New lines since the eye left the end; none: not all were seen. @type {number | null} */
  unread = 0;
  /** The stream is not where the lines end. */ isDetached = false;
  health = new Health();
  /** Where the stream begins; none: after the last lines. @type {Position | null} */ #position;
  /** @type {{ target: Target | null } | null} */ #replacing = null;
  #isResumable = true;

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
    this.backfill = new Backfill(this.store, (...asked) => this.connection.older(...asked));
    this.#position = since || from ? { tail, since, from } : tail ? { tail } : TAIL;
    this.fixed = { until, follow };
    this.isFollowing = !from && !(since && !until);
  }

  // What the connection asks and tells.

  /** @returns {Query} */
  query() {
    const places = this.store.resumePlaces;
    const position =
      this.#position ?? (places.length && this.#isResumable ? { from: places.join("~") } : TAIL);
    return { ...position, ...this.filter, ...this.fixed };
  }

  /** @param {LineRecord[]} records @param {string} [start] */
  linesReceived(records, start) {
    this.#replaceIfDue();
    this.#position = null;
    if (this.isDetached) return;
    const added = this.store.append(records, start);
    this.health.count(added);
    if (this.unread !== null && (!this.isFollowing || document.hidden)) this.unread += added.length;
    this.delegate.linesChanged();
  }

  /** @param {EventRecord} record */
  eventReceived(record) {
    this.#replaceIfDue();
    const { event, source = this.name } = record;
    if (event === "start") this.#started(record);
    else if (event === "heartbeat") this.#beat(record);
    else if (event === "gap") this.health.tell(gapOf(record), true);
    const note = noteOf(record, source);
    if (note && !this.isDetached) this.store.addNote(source, note.text, note.tone);
    this.delegate.stateChanged();
  }

  /** @param {EventRecord} record */
  #started({ resumable = true, cursor = "", sources = this.store.isMerged ? [] : [this.name] }) {
    const isResumed = this.#position === null && resumable;
    this.#isResumable = resumable;
    this.#position = null;
    const cursors = cursor.split("~");
    sources.forEach((source, i) => {
      const places = this.store.placesOf(source);
      if (cursors.length === sources.length && !places.last) places.first ??= cursors[i];
    });
    if (this.health.cameBack(isResumed) && !isResumed)
      this.store.addNote(this.name, "reconnected: what came meanwhile may be missing here", "warn");
  }

  /** @param {EventRecord} heartbeat */
  #beat(heartbeat) {
    this.health.beat(heartbeat);
    const places = this.store.places.get(this.name);
    if (places && heartbeat.cursor && !this.isDetached) places.last = heartbeat.cursor;
  }

  /** @param {State} state */
  stateChanged(state) {
    if (state.kind === "waiting") this.health.wasLost = true;
    this.backfill.error = "";
    this.delegate.stateChanged();
  }

  // What the pane asks for.

  /**
   * Begins elsewhere; the lines stay until others come.
   * @param {Position} position
   * @param {Target | null} target none: the end
   */
  async reopen(position, target) {
    this.backfill.cancel();
    this.#position = position;
    this.#replacing = { target };
    this.isFollowing = target === null;
    await this.connection.restart();
    this.#replaceIfDue();
  }

  /** What is here is only shown until other lines come. */
  get isReplacing() {
    return this.#replacing !== null;
  }

  #replaceIfDue() {
    if (!this.#replacing) return;
    const { target } = this.#replacing;
    this.#replacing = null;
    this.store.clear();
    this.backfill.forget();
    this.backfill.error = "";
    this.isDetached = false;
    this.health.heartbeat = null;
    this.unread = this.isFollowing ? 0 : null;
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

  /** The page before the first line. */
  async loadOlder() {
    const isConnecting = this.connection.state.kind === "connecting";
    if (this.isReplacing || !this.store.places.size || isConnecting) return;
    if (await this.backfill.load()) this.delegate.linesChanged();
  }

  /** Takes away what is shown; it can be fetched again. */
  clear() {
    const places = [...this.store.places];
    this.store.clear();
    for (const [source, { first, last }] of places)
      this.store.placesOf(source).first = last ?? first;
    this.backfill.clear();
    this.unread = 0;
    this.delegate.linesChanged();
  }
}
