// A stream over WebSocket. Commands and lines pass one another; each command has an answer.
import { Refusal } from "../protocol.js";

/** To a command. @typedef {Partial<LinesPage> & { re: number, error?: string }} Answer */
/** @typedef {{ lines: LineRecord[], start?: string }} Batch */
/** @typedef {{ resolve: (answer: Answer) => void, reject: (error: Refusal) => void }} Waiter */

const HANDSHAKE_MS = 5000;

/** @implements {Transport} */
export class SocketTransport {
  label = "WebSocket";
  /** @type {WebSocket | null} */ #socket = null;
  /** @type {Map<number, Waiter>} */ #waiting = new Map();
  #nextId = 1;
  /** What comes before the answer to this command is of the past. */ #barrier = 0;
  #filter = "";

  /** @param {Sink} sink */
  constructor(sink) {
    this.sink = sink;
  }

  /** @param {URL} url @returns {Promise<void>} */
  open(url) {
    const address = new URL(url);
    address.protocol = url.protocol.replace("http", "ws");
    this.#filter = filterOf(url.searchParams);
    return new Promise((resolve, reject) => {
      const socket = (this.#socket = new WebSocket(address, "tailcast.v1"));
      const late = setTimeout(() => socket.close(), HANDSHAKE_MS);
      socket.onmessage = ({ data }) => this.#take(JSON.parse(data));
      socket.onopen = () => resolve(clearTimeout(late));
      socket.onclose = ({ code, reason }) => {
        clearTimeout(late);
        const isLost = code === 1006;
        const error = new Refusal(reason || (isLost ? "connection lost" : `closed with ${code}`));
        reject(error);
        for (const waiter of this.#waiting.values()) waiter.reject(error);
        if (this.#socket === socket) this.sink.closed(error);
      };
    });
  }

  /** @param {Answer | Batch | EventRecord} message */
  #take(message) {
    if ("re" in message) {
      const waiter = this.#waiting.get(message.re);
      this.#waiting.delete(message.re);
      if (message.re === this.#barrier) this.#barrier = 0;
      if (message.error) waiter?.reject(new Refusal(message.error, 400));
      else waiter?.resolve(message);
    } else if ("lines" in message) {
      if (!this.#barrier) this.sink.linesReceived(message.lines, message.start);
    } else if (!this.#barrier || message.event === "end") this.sink.eventReceived(message);
  }

  /**
   * @param {string} cmd
   * @param {object} [rest]
   * @param {boolean} [isBarrier]
   * @returns {Promise<Answer>}
   */
  #send(cmd, rest = {}, isBarrier = false) {
    const id = this.#nextId++;
    if (isBarrier) this.#barrier = id;
    return new Promise((resolve, reject) => {
      const socket = this.#socket;
      if (socket?.readyState !== WebSocket.OPEN) return reject(new Refusal("connection lost"));
      this.#waiting.set(id, { resolve, reject });
      socket.send(JSON.stringify({ id, cmd, ...rest }));
    });
  }

  /** @param {URL} url */
  async restart({ searchParams }) {
    const filter = filterOf(searchParams);
    if (filter !== this.#filter) {
      await this.#send("filter", JSON.parse(filter), true);
      this.#filter = filter;
    }
    const place = pick(searchParams, ["tail", "since", "from"]);
    const tail = Number(place.tail) || place.tail;
    await this.#send("seek", { ...place, tail }, true);
  }

  /** @param {boolean} isPaused */
  pause(isPaused) {
    // Where the connection is lost meanwhile, the next one begins unpaused.
    this.#send(isPaused ? "pause" : "resume").catch(() => undefined);
  }

  /**
   * @param {string} source
   * @param {string} before
   * @param {number} n
   * @returns {Promise<LinesPage>}
   */
  older = async (source, before, n) => {
    const { lines = [], start, begin } = await this.#send("older", { source, before, lines: n });
    return { lines, start, begin };
  };

  close() {
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }
}

/** @param {URLSearchParams} query @param {string[]} keys @returns {Record<string, string>} */
const pick = (query, keys) =>
  Object.fromEntries([...query].filter(([key, value]) => value && keys.includes(key)));

/** @param {URLSearchParams} query */
function filterOf(query) {
  const { grep, exclude, level } = pick(query, ["grep", "exclude", "level"]);
  return JSON.stringify({ grep, exclude, level });
}
