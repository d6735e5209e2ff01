// A connection: keeps a stream open through refusals, restarts of the server and sleep. WebSocket
// first; where its handshake is refused and events are not, events.
import { isGlob, logUrl, Refusal } from "../protocol.js";
import { EventTransport } from "./events.js";
import { Backoff, HEARTBEAT_MS, Liveness } from "./liveness.js";
import { olderByHttp } from "./pages.js";
import { SocketTransport } from "./socket.js";

export class Connection {
  /** @type {State} */ state = { kind: "connecting", reason: "", retryAt: 0 };
  label = "WebSocket";
  isPaused = false;
  /** @type {Transport | null} */ #transport = null;
  #isSocketRefused = false;
  #hasWorked = false;
  #epoch = 0;
  #backoff = new Backoff();
  #timer = 0;
  #liveness = new Liveness({ wake: () => this.#wake(), fellSilent: () => this.#fellSilent() });

  /** @param {string} name @param {Client} client */
  constructor(name, client) {
    this.name = name;
    this.client = client;
  }

  start() {
    this.#liveness.start();
    void this.#connect();
  }

  stop() {
    this.#liveness.stop();
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
      if (epoch === this.#epoch) this.#failed(Refusal.from(error), true);
    }
  }

  /** @param {boolean} isPaused */
  pause(isPaused) {
    if (this.isPaused !== isPaused) this.#transport?.pause(isPaused);
    this.isPaused = isPaused;
  }

  /** The lines before a place of one source. @type {FetchOlder} */
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
          await this.#open(new SocketTransport(this.#sink(epoch)), url, epoch);
          return;
        } catch {
          // Whether it is the WebSocket or the server, events will tell.
        }
      }
      if (epoch !== this.#epoch) return;
      await this.#open(new EventTransport(this.#sink(epoch)), url, epoch);
      // One that worked before was not refused: the server was just starting.
      this.#isSocketRefused = !this.#hasWorked;
    } catch (error) {
      if (epoch === this.#epoch) this.#failed(Refusal.from(error), isAsked);
    }
  }

  /** @param {Transport} transport @param {URL} url @param {number} epoch */
  async #open(transport, url, epoch) {
    this.#transport = transport;
    await transport.open(url);
    if (epoch !== this.#epoch) return void transport.close();
    this.#liveness.heard();
    this.label = transport.label;
    this.#hasWorked ||= transport.older !== null;
    this.isPaused = false;
    this.#setState("open");
  }

  /** What comes of another epoch is of the past. @param {number} epoch @returns {Sink} */
  #sink(epoch) {
    const isCurrent = () => {
      if (epoch !== this.#epoch) return false;
      this.#liveness.heard();
      this.#backoff.reset();
      return true;
    };
    return {
      linesReceived: (records, start) => {
        if (isCurrent()) this.client.linesReceived(records, start);
      },
      eventReceived: (record) => {
        if (!isCurrent()) return;
        this.client.eventReceived(record);
        if (record.event === "end") this.#ended(record.reason ?? "");
      },
      closed: (error) => {
        if (epoch === this.#epoch && this.state.kind === "open") this.#failed(error);
      },
    };
  }

  /** @param {string} reason */
  #ended(reason) {
    if (!["eof", "until", "revoked"].includes(reason)) {
      const words = reason === "shutdown" ? "the server is stopping" : `ended: ${reason}`;
      return this.#failed(new Refusal(words));
    }
    this.#drop();
    this.#setState("ended", reason);
  }

  /** @param {Refusal} error @param {boolean} [isAsked] who asked is to hear of it */
  #failed(error, isAsked = false) {
    const { message, status, retryAfter } = error;
    if (isAsked && status === 400) throw error;
    this.#drop();
    if (error.isLasting) return this.#setState("ended", message);
    const delay = this.#backoff.next(retryAfter);
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

  #fellSilent() {
    // One that is paused by not reading hears nothing.
    const isDeaf = this.isPaused && !this.#transport?.older;
    if (this.state.kind !== "open" || isDeaf) return;
    this.#failed(new Refusal("the server has fallen silent"));
  }

  #wake() {
    const { kind } = this.state;
    if (kind !== "waiting" && !(kind === "open" && this.#liveness.isDoubtful)) return;
    this.#backoff.reset();
    void this.#connect();
  }

  /** @param {State["kind"]} kind */
  #setState(kind, reason = "", retryAt = 0) {
    this.state = { kind, reason, retryAt };
    this.client.stateChanged(this.state);
  }
}
