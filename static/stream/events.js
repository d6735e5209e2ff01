// A stream of server-sent events, by `fetch`: unlike EventSource it tells why it was refused, and
// can pause.
import { readRecords, Refusal } from "../protocol.js";

const ANSWER_MS = 15_000;

/** @implements {Transport} */
export class EventTransport {
  label = "SSE";
  older = null;
  #abort = new AbortController();
  /** @type {PromiseWithResolvers<void>} */ #gate = Promise.withResolvers();
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
    const batches = readRecords(address, signal, () =>
      this.#isPaused ? this.#gate.promise : null,
    );
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

  /**
   * @param {AsyncIterable<(LineRecord | EventRecord)[]>} batches
   * @param {AbortSignal} signal
   */
  async #read(batches, signal) {
    /** @type {string | undefined} */ let place;
    let isEnded = false;
    try {
      for await (const batch of batches) {
        if (signal.aborted) return;
        isEnded ||= batch.some((record) => "event" in record && record.event === "end");
        place = this.#deliver(batch, place);
      }
    } catch {
      // Told below: the connection is lost.
    }
    if (!signal.aborted && !isEnded) this.sink.closed(new Refusal("connection lost"));
  }

  /**
   * Hands on what has come, as many lines at a time as stand together.
   * @param {(LineRecord | EventRecord)[]} batch
   * @param {string | undefined} place before it
   * @returns {string | undefined} the place after it
   */
  #deliver(batch, place) {
    /** @type {LineRecord[]} */ let lines = [];
    const flush = () => {
      if (lines.length) this.sink.linesReceived(lines, place);
      place = lines.at(-1)?.cursor ?? place;
      lines = [];
    };
    for (const record of batch) {
      if ("line" in record) lines.push(record);
      else {
        flush();
        this.sink.eventReceived(record);
        place = record.cursor ?? place;
      }
    }
    flush();
    return place;
  }

  /** @param {boolean} isPaused */
  pause(isPaused) {
    this.#isPaused = isPaused;
    this.#gate.resolve();
    this.#gate = Promise.withResolvers();
  }

  close() {
    this.#abort.abort();
    this.pause(false);
  }
}
