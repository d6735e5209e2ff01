// @ts-check
// A stream of server-sent events, by `fetch`: unlike EventSource it tells why it was refused, and
// can pause.
import { readRecords, Refusal } from "../protocol.js";

const ANSWER_MS = 15_000;

/** @implements {Transport} */
export class EventTransport {
  label = "SSE";
  older = null;
  #abort = new AbortController();
  #gate = Promise.withResolvers();
  #isPaused = false;

  /** @param {Sink} sink */
  constructor(sink) {
    this.sink = sink;
  }

  /** @param {URL} url */
  async open(url) {
    this.close();
    const { signal } = (this.#abort = new AbortController());
    const address = new URL(url);
    address.searchParams.set("format", "sse");
    const late = setTimeout(() => this.#abort.abort(), ANSWER_MS);
    const batches = readRecords(address, signal, () => this.#isPaused && this.#gate.promise);
    try {
      await batches.next();
    } catch (error) {
      throw error instanceof Refusal ? error : new Refusal("the server cannot be reached");
    } finally {
      clearTimeout(late);
    }
    void this.#read(batches, signal);
  }

  restart = this.open;

  async #read(batches, signal) {
    let place;
    let isEnded = false;
    try {
      for await (const batch of batches) {
        if (signal.aborted) return;
        for (let i = 0; i < batch.length;) {
          const from = i;
          while (i < batch.length && "line" in batch[i]) i++;
          if (i > from) this.sink.lines(batch.slice(from, i), place);
          if (i === from) {
            isEnded ||= batch[i].event === "end";
            this.sink.event(batch[i++]);
          }
          place = batch[i - 1].cursor ?? place;
        }
      }
    } catch {
      // Told below: the connection is lost.
    }
    if (!signal.aborted && !isEnded) this.sink.closed(new Refusal("connection lost"));
  }

  pause(isPaused) {
    this.#isPaused = isPaused;
    this.#gate.resolve(0);
    this.#gate = Promise.withResolvers();
  }

  close() {
    this.#abort.abort();
    this.pause(false);
  }
}
