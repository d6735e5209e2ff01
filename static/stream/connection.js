// @ts-check
// A connection: keeps a stream open through refusals, restarts of the server and sleep. WebSocket
// first; where its handshake is refused and events are not, events.
import { isGlob, logUrl, Refusal } from "../protocol.js";
import { EventTransport } from "./events.js";
import { olderByHttp } from "./pages.js";
import { SocketTransport } from "./socket.js";

const HEARTBEAT_MS = 10_000;
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
  #hasWorked = false;
  #epoch = 0;
  #nFailures = 0;
  #timer = 0;
  #watch = 0;
  #lastWord = 0;
  #lastTick = Date.now();

  /** @param {string} name @param {Client} client */
  constructor(name, client) {
    this.name = name;
    this.client = client;
  }

  start() {
    document.addEventListener("visibilitychange", this.#wake);
    addEventListener("online", this.#wake);
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

  /**
   * Begins again where the client says, with its filter. Rejects with what the server says against
   * that.
   */
  async restart() {
    this.pause(false);
    // Only the start of a stream names the places of several sources.
    if (!this.#transport || this.state.kind !== "open" || isGlob(this.name))
      return this.#connect(true);
    const epoch = this.#epoch;
    try {
      await this.#transport.restart(this.#url());
    } catch (error) {
      if (epoch === this.#epoch) this.#failed(error, true);
    }
  }

  /** @param {boolean} isPaused */
  pause(isPaused) {
    if (this.isPaused !== isPaused) this.#transport?.pause(isPaused);
    this.isPaused = isPaused;
  }

  /** The lines before a place of one source. @returns {Promise<Page>} */
  older(source, before, n) {
    if (this.#transport?.older && this.state.kind === "open")
      return this.#transport.older(source, before, n);
    const { grep, exclude, level, since, until } = this.client.query();
    return olderByHttp(source, before, n, { grep, exclude, level, since, until });
  }

  /** Tries at once, if it waits. */
  retry() {
    if (this.state.kind === "waiting") void this.#connect();
  }

  #url = () => logUrl(this.name, { heartbeat: `${HEARTBEAT_MS / 1000}s`, ...this.client.query() });

  async #connect(isAsked = false) {
    clearTimeout(this.#timer);
    this.#drop();
    const epoch = this.#epoch;
    this.#setState("connecting", this.state.reason);
    const url = this.#url();
    try {
      if (!this.#isSocketRefused) {
        try {
          return await this.#open(new SocketTransport(this.#sink(epoch)), url, epoch);
        } catch {
          // Whether it is the WebSocket or the server, events will tell.
        }
      }
      if (epoch !== this.#epoch) return;
      await this.#open(new EventTransport(this.#sink(epoch)), url, epoch);
      // One that worked before was not refused: the server was just starting.
      this.#isSocketRefused = !this.#hasWorked;
    } catch (error) {
      if (epoch === this.#epoch) this.#failed(error, isAsked);
    }
  }

  /** @param {Transport} transport */
  async #open(transport, url, epoch) {
    this.#transport = transport;
    await transport.open(url);
    if (epoch !== this.#epoch) return transport.close();
    this.#lastWord = Date.now();
    this.label = transport.label;
    this.#hasWorked ||= transport.older !== null;
    this.isPaused = false;
    this.#setState("open");
  }

  /** @returns {Sink} */
  #sink(epoch) {
    const told =
      (take) =>
      (...words) => {
        if (epoch !== this.#epoch) return;
        this.#lastWord = Date.now();
        this.#nFailures = 0;
        take(...words);
      };
    return {
      lines: told((records, start) => this.client.lines(records, start)),
      event: told((record) => {
        this.client.event(record);
        if (record.event === "end") this.#ended(record.reason);
      }),
      closed: (error) => epoch === this.#epoch && this.state.kind === "open" && this.#failed(error),
    };
  }

  #ended(reason) {
    if (!["eof", "until", "revoked"].includes(reason))
      return this.#failed(
        new Refusal(reason === "shutdown" ? "the server is stopping" : `ended: ${reason}`),
      );
    this.#drop();
    this.#setState("ended", reason);
  }

  #failed(error, isAsked = false) {
    const { message, status = 0, retryAfter = 0 } = error;
    if (isAsked && status === 400) throw error;
    this.#drop();
    if (LASTING.includes(status)) return this.#setState("ended", message);
    const most = Math.min(MAX_DELAY_MS, MIN_DELAY_MS * 2 ** ++this.#nFailures);
    const delay = Math.max(MIN_DELAY_MS + Math.random() * (most - MIN_DELAY_MS), retryAfter * 1000);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#connect(), delay);
    this.#setState("waiting", message, Date.now() + delay);
  }

  /** Lets go of the transport; what it still says is of the past. */
  #drop() {
    this.#epoch++;
    this.#transport?.close();
    this.#transport = null;
  }

  /** Once a second: has the machine slept, or the other side fallen silent? */
  #look() {
    const now = Date.now();
    const isLate = now - this.#lastTick > SLEPT_MS;
    this.#lastTick = now;
    // One that is paused by not reading hears nothing; timers of hidden pages are slow by
    // themselves.
    const isDeaf = this.isPaused && !this.#transport?.older;
    if (isLate) this.#wake();
    else if (this.state.kind === "open" && !isDeaf && now - this.#lastWord > SILENCE_MS)
      this.#failed(new Refusal("the server has fallen silent"));
  }

  #wake = () => {
    const isDoubtful =
      this.state.kind === "open" && Date.now() - this.#lastWord > HEARTBEAT_MS + 1000;
    if (document.hidden || !(isDoubtful || this.state.kind === "waiting")) return;
    this.#nFailures = 0;
    void this.#connect();
  };

  #setState(kind, reason = "", retryAt = 0) {
    this.state = { kind, reason, retryAt };
    this.client.stateChanged(this.state);
  }
}
