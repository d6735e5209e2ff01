// @ts-check
// A stream over WebSocket. Commands and lines pass one another; each command has an answer.
import { Refusal } from "../protocol.js";

const HANDSHAKE_MS = 5000;

/** @implements {Transport} */
export class SocketTransport {
  label = "WebSocket";
  #waiting = new Map();
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
      const socket = (this.socket = new WebSocket(address, "tailcast.v1"));
      const late = setTimeout(() => socket.close(), HANDSHAKE_MS);
      socket.onmessage = ({ data }) => this.#take(JSON.parse(data));
      socket.onopen = () => resolve(clearTimeout(late));
      socket.onclose = ({ code, reason }) => {
        clearTimeout(late);
        const error = new Refusal(
          reason || (code === 1006 ? "connection lost" : `closed with ${code}`),
        );
        reject(error);
        for (const waiter of this.#waiting.values()) waiter.reject(error);
        if (this.socket === socket) this.sink.closed(error);
      };
    });
  }

  #take(message) {
    if ("re" in message) {
      const waiter = this.#waiting.get(message.re);
      this.#waiting.delete(message.re);
      if (message.re === this.#barrier) this.#barrier = 0;
      if (message.error) waiter?.reject(new Refusal(message.error, 400));
      else waiter?.resolve(message);
    } else if (!this.#barrier || message.event === "end") {
      if (message.lines) this.sink.lines(message.lines, message.start);
      else this.sink.event(message);
    }
  }

  #send(cmd, rest = {}, isBarrier = false) {
    const id = this.#nextId++;
    if (isBarrier) this.#barrier = id;
    return new Promise((resolve, reject) => {
      if (this.socket?.readyState !== WebSocket.OPEN) return reject(new Refusal("connection lost"));
      this.#waiting.set(id, { resolve, reject });
      this.socket.send(JSON.stringify({ id, cmd, ...rest }));
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
    if (Number(place.tail)) place.tail = Number(place.tail);
    await this.#send("seek", place, true);
  }

  pause(isPaused) {
    // Where the connection is lost meanwhile, the next one begins unpaused.
    this.#send(isPaused ? "pause" : "resume").catch(() => undefined);
  }

  /** @returns {Promise<any>} */
  older = (source, before, lines) => this.#send("older", { source, before, lines });

  close() {
    const { socket } = this;
    this.socket = null;
    socket?.close();
  }
}

/** @returns {Record<string, any>} */
const pick = (query, keys) =>
  Object.fromEntries(keys.filter((key) => query.get(key)).map((key) => [key, query.get(key)]));
const filterOf = (query) => JSON.stringify(pick(query, ["grep", "exclude", "level"]));
