// @ts-check
// Log model: what one pane shows. A window of lines on a stream: it lets go of what is far from the eye
// and fetches it again by its place, so that memory stays flat and nothing is out of reach.
import { isGlob } from "../protocol.js";
import { Connection } from "../stream/connection.js";
import { plural, size } from "../text/format.js";
import { LineStore } from "./line-store.js";
import { Older } from "./older.js";

/** @import { EventRecord, Filter, LineRecord } from "../protocol.js" */
/** @import { State } from "../stream/connection.js" */
/** @import { Line } from "./line.js" */
/**
 * @typedef {{ tail?: string, since?: string, from?: string }} Position where a stream begins
 * @typedef {{ cursor: string, offset: number }} Target a line, and where on the screen it shall be
 *
 * @typedef {object} Delegate
 * @property {() => void} linesChanged
 * @property {(target: Target | null) => void} linesReplaced
 * @property {() => void} stateChanged
 */

const MAX_LINES = 20_000;
const MAX_CHARS = 24 << 20;
/** So many lines below the eye are enough. */
const MOST_BELOW = 10_000;
const LEAST_BELOW = 3000;
const LEAST_ABOVE = 400;
const TAIL = "500";
const END_REASONS = /** @type {Record<string, string>} */ ({ eof: "the end", until: "the time asked for has passed", revoked: "the log may not be read any more" });

export class LogModel {
  isFollowing = true;
  /** New lines since the eye left the end; none where they were not all seen coming. @type {number | null} */ unread = 0;
  /** The stream is not where the lines end. */ isDetached = false;
  isAtBegin = false;
  isCleared = false;
  isLoadingOlder = false;
  /** @type {EventRecord | null} */ heartbeat = null;
  heartbeatAt = 0;
  lastLineAt = 0;
  /** Nothing but heartbeats since the last line. */ isQuiet = false;
  nLines = 0;
  nErrors = 0;
  /** @type {{ text: string, at: number, isBad: boolean } | null} what a reconnect or rotation brought */ news = null;
  olderError = "";
  /** @type {Position | null} */ #position;
  #until;
  #isFinite;
  /** @type {{ target: Target | null } | null} */ #replacing = null;
  #wasLost = false;
  #isResumable = true;
  #epoch = 0;

  /**
   * @param {string} name @param {URLSearchParams} query of the page @param {Filter} filter
   * @param {Delegate} delegate
   */
  constructor(name, query, filter, delegate) {
    this.name = name;
    this.filter = filter;
    this.delegate = delegate;
    this.store = new LineStore(isGlob(name));
    this.older = new Older(this.store, (source, before, lines) => this.connection.older(source, before, lines));
    /** @type {Position} */ const position = {};
    for (const key of /** @type {const} */ (["tail", "since", "from"])) position[key] = query.get(key) ?? undefined;
    if (!position.since && !position.from) position.tail ??= TAIL;
    this.#position = position;
    this.#until = query.get("until");
    this.#isFinite = ["false", "0"].includes(query.get("follow") ?? "");
    this.isFollowing = !position.from && !(position.since && !this.#until);
    this.connection = new Connection(name, this);
  }

  start() {
    this.connection.start();
  }

  stop() {
    this.#epoch++;
    this.connection.stop();
  }

  // What the connection asks and tells.

  query() {
    const query = new URLSearchParams();
    const places = this.#position ? [] : this.store.resumePlaces();
    const position = this.#position ?? (places.length && this.#isResumable ? { from: places.join("~") } : { tail: TAIL });
    for (const [key, value] of Object.entries({ ...position, ...this.filter, until: this.#until })) {
      if (value) query.set(key, value);
    }
    if (this.#isFinite) query.set("follow", "false");
    return query;
  }

  /** @param {LineRecord[]} records @param {string | undefined} start */
  lines(records, start) {
    this.#replaceIfDue();
    this.#position = null;
    if (this.isDetached) return;
    const added = this.store.append(records, start);
    this.lastLineAt = Date.now();
    this.isQuiet = false;
    this.nLines += added.length;
    for (const { level } of added) if (level === "error" || level === "fatal") this.nErrors++;
    if (this.unread !== null && (!this.isFollowing || document.hidden)) this.unread += added.length;
    this.delegate.linesChanged();
  }

  /** @param {EventRecord} record */
  event(record) {
    this.#replaceIfDue();
    if (record.event === "start") this.#started(record);
    else if (record.event === "heartbeat") {
      this.heartbeat = record;
      this.heartbeatAt = Date.now();
      this.isQuiet = true;
      const places = this.store.places.get(this.name);
      if (places && record.cursor && !this.isDetached) places.last = record.cursor;
    } else if (record.event === "gap") {
      const text = `gap of ${size(record.bytes ?? 0)} (${(record.reason ?? "").replace("_", " ")})`;
      this.news = { text, at: Date.now(), isBad: true };
      if (!this.isDetached) this.store.addNote(record.source ?? this.name, `${text}: these bytes are gone for good`, "warn");
    } else if (record.event === "rotated") {
      if (!this.isDetached) this.store.addNote(record.source ?? this.name, `rotated (${record.how})`, "");
    } else if (END_REASONS[record.reason ?? ""]) {
      this.store.addNote(this.name, END_REASONS[record.reason ?? ""], "");
    }
    this.delegate.linesChanged();
    this.delegate.stateChanged();
  }

  /** @param {EventRecord} record */
  #started(record) {
    this.#isResumable = record.resumable !== false;
    const wasResumed = this.#position === null;
    this.#position = null;
    const cursors = record.cursor?.split("~") ?? [];
    const sources = record.sources ?? (this.store.isMerged ? [] : [record.source ?? this.name]);
    sources.forEach((source, i) => {
      const places = this.store.placesOf(source);
      if (cursors.length === sources.length && places.first === null && places.last === null) places.first = cursors[i];
    });
    if (this.#wasLost) this.#tellOfResume(wasResumed);
    this.#wasLost = false;
  }

  /** @param {boolean} wasResumed */
  #tellOfResume(wasResumed) {
    const isWhole = wasResumed && this.#isResumable;
    const text = isWhole ? "resumed, nothing missed" : "reconnected; lines may be missing";
    if (!isWhole) this.store.addNote(this.name, "reconnected: so many logs at once cannot be resumed, lines may be missing", "warn");
    this.news = { text, at: Date.now(), isBad: !isWhole };
  }

  /** @param {State} state */
  stateChanged(state) {
    if (state.kind === "waiting") this.#wasLost = true;
    this.delegate.stateChanged();
  }

  // What the pane asks for.

  /** Begins elsewhere, with the present filter. The lines stay until others come. @param {Position} position @param {Target | null} target */
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
    this.isDetached = this.isAtBegin = this.isCleared = this.isLoadingOlder = false;
    this.olderError = "";
    this.unread = this.isFollowing ? 0 : null;
    this.heartbeat = null;
    this.delegate.linesReplaced(target);
  }

  /** At a line, with what is around it. @param {Position} position @param {string} cursor @param {number} offset */
  openAt(position, cursor, offset) {
    return this.reopen(position, { cursor, offset });
  }

  openTail() {
    return this.reopen({ tail: TAIL }, null);
  }

  /**
   * Applies a filter to what has passed and what comes. @param {Filter} filter
   * @param {{ line: Line, offset: number } | null} anchor the line to stay at; none at the end
   */
  async setFilter(filter, anchor) {
    const before = { filter: this.filter, isFollowing: this.isFollowing };
    this.filter = filter;
    const places = anchor && this.store.placesAt(anchor.line);
    const place = anchor && !this.store.isMerged ? anchor.line.cursor : places?.join("~");
    try {
      if (anchor && place) await this.openAt({ from: place }, anchor.line.cursor, anchor.offset);
      else await this.openTail();
    } catch (error) {
      // What came meanwhile was dropped: on from the last line, under the old filter.
      Object.assign(this, before);
      this.#replacing = null;
      this.#position = null;
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
    return this.isDetached || (this.connection.isPaused && this.connection.state.kind === "open");
  }

  /** What lies around the eye: more is fetched, or let go of. @param {number} nAbove @param {number} nBelow */
  look(nAbove, nBelow) {
    if (this.#replacing) return;
    this.#trim(nAbove, nBelow);
    if (this.isFollowing || nBelow < LEAST_BELOW) {
      if (this.isDetached) this.#attach();
      else this.connection.pause(false);
    } else if (nBelow > MOST_BELOW) this.connection.pause(true);
    if (!this.isFollowing && nAbove < LEAST_ABOVE && !this.isAtBegin && !this.olderError) void this.loadOlder();
  }

  #attach() {
    this.isDetached = false;
    const nPlaces = this.store.resumePlaces().length;
    if (nPlaces > 100 || !nPlaces) void this.openTail();
    else this.connection.restart().catch(() => this.openTail());
  }

  /** @param {number} nAbove @param {number} nBelow */
  #trim(nAbove, nBelow) {
    const { store } = this;
    const excess = Math.max(store.length - MAX_LINES, store.nChars > MAX_CHARS && store.length > 200 ? store.length >> 2 : 0);
    if (excess <= 0) return;
    if (this.isFollowing || nAbove > nBelow) {
      // The page that is on its way would lie beside what goes now.
      this.#epoch++;
      this.isLoadingOlder = false;
      store.trimTop(Math.min(excess + (excess < 1000 ? 1000 : 0), this.isFollowing ? store.length : nAbove));
      this.older.forget();
      this.isAtBegin = this.isCleared = false;
    } else {
      store.trimBottom(Math.min(excess, nBelow));
      this.isDetached = true;
      this.unread = null;
      this.connection.pause(true);
    }
  }

  /** The page before the first line. */
  async loadOlder() {
    if (this.isLoadingOlder || this.#replacing || !this.store.places.size || this.connection.state.kind === "connecting") return;
    const epoch = this.#epoch;
    this.isLoadingOlder = true;
    this.isCleared = false;
    try {
      const hasMore = await this.older.load(() => epoch === this.#epoch);
      if (epoch === this.#epoch) this.isAtBegin = !hasMore;
    } catch (error) {
      if (epoch === this.#epoch) this.olderError = String(error instanceof Error ? error.message : error);
    }
    if (epoch !== this.#epoch) return;
    this.isLoadingOlder = false;
    this.delegate.linesChanged();
  }

  /** Takes away what is shown; it can be fetched again. */
  clear() {
    this.#epoch++;
    const places = new Map([...this.store.places].map(([source, { first, last }]) => [source, last ?? first]));
    this.store.clear();
    for (const [source, place] of places) Object.assign(this.store.placesOf(source), { first: place, last: place });
    this.older.forget();
    this.isLoadingOlder = false;
    this.isAtBegin = this.isCleared = true;
    this.unread = 0;
    this.delegate.linesChanged();
  }

  /** For those who cannot see the state. */
  describe() {
    return `${plural(this.store.length, "line")} of ${this.name}`;
  }
}
