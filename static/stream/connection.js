// @ts-check
// A connection: keeps a stream open through refusals, restarts of the server and sleep. WebSocket first;
// where its handshake is refused and events are not, events.
import { isGlob, logUrl, Refusal } from "../protocol.js";
import { EventTransport } from "./events.js";
import { olderByHttp } from "./pages.js";
import { SocketTransport } from "./socket.js";

/** @import { EventRecord, LineRecord, Transport } from "../protocol.js" */
/**
 * @typedef {{ kind: "connecting" | "open" | "waiting" | "ended", reason: string, retryAt: number }} State
 *
 * @typedef {object} Client
 * @property {() => URLSearchParams} query where the stream has to begin, and what passes
 * @property {(records: LineRecord[], start: string | undefined) => void} lines
 * @property {(record: EventRecord) => void} event
 * @property {(state: State) => void} stateChanged
 */

const HEARTBEAT_S = 10;
/** Two heartbeats and a little: nobody is there any more. */
const SILENCE_MS = 25_000;
const MIN_DELAY_MS = 500;
const MAX_DELAY_MS = 30_000;
/** A timer that comes this late has slept. */
const SLEPT_MS = 4000;
/** What will not become better by itself. */
const LASTING = [400, 401, 403, 406];

export class Connection {
  /** @type {State} */ state = { kind: "connecting", reason: "", retryAt: 0 };
  label = "WebSocket";
  isPaused = false;
  /** @type {Transport | null} */ #transport = null;
  #isSocketRefused = false;
  #epoch = 0;
  #nFailures = 0;
  #timer = 0;
  #watch = 0;
  #lastWord = 0;
  #lastTick = 0;

  /** @param {string} name @param {Client} client */
  constructor(name, client) {
    this.name = name;
    this.client = client;
  }

  start() {
    document.addEventListener("visibilitychange", this.#wake);
    addEventListener("online", this.#wake);
    this.#lastTick = Date.now();
    this.#watch = setInterval(() => this.#look(), 1000);
    void this.#connect();
  }

  stop() {
    document.removeEventListener("visibilitychange", this.#wake);
    removeEventListener("online", this.#wake);
    clearInterval(this.#watch);
    clearTimeout(this.#timer);
    this.#drop();
  }

  /** Begins again where the client's query says, with its filter. Rejects with what the server says of it. */
  async restart() {
    this.isPaused = false;
    const transport = this.#transport;
    // Only the start of a stream names the places of several sources.
    if (!transport || this.state.kind !== "open" || isGlob(this.name)) return this.#connect(true);
    const epoch = this.#epoch;
    try {
      await transport.restart(this.#query());
    } catch (error) {
      if (epoch !== this.#epoch) return;
      if (error instanceof Refusal && error.status === 400) throw error;
      this.#failed(error);
    }
  }

  /** @param {boolean} isPaused */
  pause(isPaused) {
    if (this.isPaused === isPaused) return;
    this.isPaused = isPaused;
    this.#transport?.pause(isPaused);
  }

  /** The lines before a place of one source. @param {string} source @param {string} before @param {number} n @returns {Promise<import("../protocol.js").Page>} */
  older(source, before, n) {
    const older = this.#transport?.older;
    if (older && this.state.kind === "open") return older(source, before, n);
    const query = new URLSearchParams();
    for (const [key, value] of this.client.query()) {
      if (["grep", "exclude", "level", "since", "until"].includes(key)) query.set(key, value);
    }
    return olderByHttp(source, before, n, query);
  }

  /** Tries at once, if it is waiting. */
  retry = () => {
    if (this.state.kind === "waiting" || this.state.kind === "ended") void this.#connect();
  };

  #query() {
    const query = this.client.query();
    if (!query.has("heartbeat")) query.set("heartbeat", `${HEARTBEAT_S}s`);
    return query;
  }

  /** @param {boolean} [isAsked] whoever asked wants to know what is wrong with it */
  async #connect(isAsked = false) {
    clearTimeout(this.#timer);
    this.#drop();
    const epoch = this.#epoch;
    this.#setState("connecting", this.state.reason);
    const url = logUrl(this.name, this.#query());
    try {
      if (!this.#isSocketRefused) {
        try {
          await this.#open(new SocketTransport(this.#sink(epoch)), url, epoch);
          return;
        } catch {
          if (epoch !== this.#epoch) return;
        }
      }
      await this.#open(new EventTransport(this.#sink(epoch)), url, epoch);
      this.#isSocketRefused = true;
    } catch (error) {
      if (epoch !== this.#epoch) return;
      if (isAsked && error instanceof Refusal && error.status === 400) throw error;
      this.#failed(error);
    }
  }

  /** @param {Transport} transport @param {URL} url @param {number} epoch */
  async #open(transport, url, epoch) {
    this.#drop(epoch);
    this.#transport = transport;
    await transport.open(url);
    if (epoch !== this.#epoch) return transport.close();
    this.#lastWord = Date.now();
    this.label = transport.label;
    this.isPaused = false;
    if (this.state.kind !== "ended") this.#setState("open", "");
  }

  /** @param {number} epoch @returns {import("../protocol.js").Sink} */
  #sink(epoch) {
    const isPresent = () => epoch === this.#epoch;
    const alive = () => {
      this.#lastWord = Date.now();
      this.#nFailures = 0;
    };
    return {
      lines: (records, start) => {
        if (!isPresent()) return;
        alive();
        this.client.lines(records, start);
      },
      event: (record) => {
        if (!isPresent()) return;
        alive();
        if (record.event === "end") this.#ended(record);
        this.client.event(record);
      },
      closed: (error) => {
        if (isPresent() && this.state.kind === "open") this.#failed(error);
      },
    };
  }

  /** @param {EventRecord} record */
  #ended(record) {
    if (record.reason === "eof" || record.reason === "until" || record.reason === "revoked") {
      this.#setState("ended", record.reason);
    } else this.#failed(new Refusal(record.reason === "shutdown" ? "the server is stopping" : `ended: ${record.reason}`));
  }

  /** @param {unknown} error */
  #failed(error) {
    this.#drop();
    const refusal = error instanceof Refusal ? error : new Refusal(String(error));
    if (LASTING.includes(refusal.status)) {
      this.#setState("ended", refusal.message);
      return;
    }
    const most = Math.min(MAX_DELAY_MS, MIN_DELAY_MS * 2 ** ++this.#nFailures);
    const delay = Math.max(MIN_DELAY_MS + Math.random() * (most - MIN_DELAY_MS), refusal.retryAfter * 1000);
    this.#timer = setTimeout(() => void this.#connect(), delay);
    this.#setState("waiting", refusal.message, Date.now() + delay);
  }

  /** Lets go of the transport; what it still says is of the past. @param {number} [epoch] */
  #drop(epoch) {
    const transport = this.#transport;
    this.#transport = null;
    if (epoch === undefined) this.#epoch++;
    transport?.close();
  }

  /** Once a second: has the machine slept, or the other side fallen silent? */
  #look() {
    const now = Date.now();
    const late = now - this.#lastTick - 1000;
    this.#lastTick = now;
    // Timers of hidden pages are slow by themselves.
    if (late > SLEPT_MS && !document.hidden) this.#wake();
    // One that is paused by not reading hears nothing.
    const isDeaf = this.isPaused && !this.#transport?.older;
    if (this.state.kind === "open" && !isDeaf && now - this.#lastWord > SILENCE_MS && late < SLEPT_MS) {
      this.#failed(new Refusal("the server has fallen silent"));
    }
  }

  #wake = () => {
    if (document.hidden) return;
    const isDoubtful = this.state.kind === "open" && Date.now() - this.#lastWord > HEARTBEAT_S * 1000 + 1000;
    if (this.state.kind === "waiting" || isDoubtful) {
      this.#nFailures = 0;
      void this.#connect();
    }
  };

  /** @param {State["kind"]} kind @param {string} reason @param {number} [retryAt] */
  #setState(kind, reason, retryAt = 0) {
    this.state = { kind, reason, retryAt };
    this.client.stateChanged(this.state);
  }
}
