// @ts-check
// A stream over WebSocket. Commands and lines pass one another; each command has an answer.
import { Refusal } from "../protocol.js";

/** @import { Page, Sink } from "../protocol.js" */
/** @typedef {{ resolve: (answer: any) => void, reject: (error: Error) => void }} Waiter */

const HANDSHAKE_MS = 5000;
const FILTERS = ["grep", "exclude", "level"];

export class SocketTransport {
  label = "WebSocket";
  /** @type {WebSocket | null} */ #socket = null;
  /** @type {Map<number, Waiter>} */ #waiting = new Map();
  #nextId = 1;
  /** Lines until the answer to this command are of before it. */
  #barrier = 0;
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
      socket.onmessage = (message) => this.#take(JSON.parse(message.data));
      socket.onopen = () => {
        clearTimeout(late);
        resolve();
      };
      socket.onclose = ({ code, reason }) => {
        clearTimeout(late);
        const error = new Refusal(reason || (code === 1006 ? "connection lost" : `closed with ${code}`));
        reject(error);
        for (const waiter of this.#waiting.values()) waiter.reject(error);
        this.#waiting.clear();
        if (this.#socket === socket) this.sink.closed(error);
      };
    });
  }

  /** @param {any} message */
  #take(message) {
    if ("re" in message) {
      const waiter = this.#waiting.get(message.re);
      this.#waiting.delete(message.re);
      if (message.re === this.#barrier) this.#barrier = 0;
      if (message.error) waiter?.reject(new Refusal(message.error, 400));
      else waiter?.resolve(message);
    } else if (this.#barrier && message.event !== "end") {
      return; // Of before a seek.
    } else if (message.lines) this.sink.lines(message.lines, message.start);
    else if (message.event) this.sink.event(message);
  }

  /** @param {string} cmd @param {object} [rest] @returns {Promise<any>} */
  #send(cmd, rest) {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      if (this.#socket?.readyState !== WebSocket.OPEN) return reject(new Refusal("connection lost"));
      this.#waiting.set(id, { resolve, reject });
      this.#socket.send(JSON.stringify({ id, cmd, ...rest }));
    });
  }

  /** @param {URLSearchParams} query */
  async restart(query) {
    const filter = filterOf(query);
    const before = this.#filter;
    if (filter !== before) {
      this.#filter = filter;
      this.#barrier = this.#nextId;
      try {
        await this.#send("filter", JSON.parse(filter));
      } catch (error) {
        this.#filter = before;
        throw error;
      }
    }
    const place = Object.fromEntries(["tail", "since", "from"].filter((key) => query.has(key)).map((key) => [key, query.get(key)]));
    if (place.tail && place.tail !== "all") Object.assign(place, { tail: Number(place.tail) });
    this.#barrier = this.#nextId;
    await this.#send("seek", place);
  }

  /** @param {boolean} isPaused */
  pause(isPaused) {
    // A connection that is lost meanwhile begins anew, and unpaused.
    this.#send(isPaused ? "pause" : "resume").catch(() => undefined);
  }

  /** @param {string} source @param {string} before @param {number} lines @returns {Promise<Page>} */
  older = (source, before, lines) => this.#send("older", { source, before, lines });

  close() {
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }
}

/** @param {URLSearchParams} query */
const filterOf = (query) =>
  JSON.stringify(Object.fromEntries(FILTERS.filter((key) => query.get(key)).map((key) => [key, query.get(key)])));
