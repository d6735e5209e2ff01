// @ts-check
// A stream of server-sent events, read by `fetch`: unlike EventSource it tells why it was refused, and
// stops reading (and with it the server) when nobody wants more.
import { Refusal, refusalOf } from "../protocol.js";

/** @import { LineRecord, Sink } from "../protocol.js" */

const ANSWER_MS = 15_000;

export class EventTransport {
  label = "SSE";
  older = null;
  #abort = new AbortController();
  /** @type {Promise<void> | null} */ #gate = null;
  #openGate = () => {};
  /** @type {URL | null} */ #url = null;
  /** The place before the next line. @type {string | undefined} */ #place = undefined;

  /** @param {Sink} sink */
  constructor(sink) {
    this.sink = sink;
  }

  /** @param {URL} url */
  async open(url) {
    this.#url = url;
    const address = new URL(url);
    address.searchParams.set("format", "sse");
    const abort = (this.#abort = new AbortController());
    const late = setTimeout(() => abort.abort(), ANSWER_MS);
    const headers = { accept: "text/event-stream" };
    const response = await fetch(address, { headers, signal: abort.signal, cache: "no-store" }).catch((error) => {
      throw new Refusal(error.name === "AbortError" ? "no answer" : "the server cannot be reached");
    }).finally(() => clearTimeout(late));
    if (!response.ok) throw await refusalOf(response);
    if (response.status === 204 || !response.body) {
      this.sink.event({ event: "end", reason: "eof" });
      return;
    }
    this.#read(response.body, abort.signal).then(
      () => new Refusal("connection lost"),
      () => new Refusal("connection lost"),
    ).then((error) => {
      if (!abort.signal.aborted) this.sink.closed(error);
    });
  }

  /** @param {ReadableStream<Uint8Array>} body @param {AbortSignal} signal */
  async #read(body, signal) {
    const reader = body.getReader();
    const decoder = new TextDecoder();
    let rest = "";
    for (;;) {
      if (this.#gate) await this.#gate;
      const { done, value } = await reader.read();
      if (done || signal.aborted) return;
      const text = rest + decoder.decode(value, { stream: true });
      const end = text.lastIndexOf("\n\n") + 2;
      rest = end > 1 ? text.slice(end) : text;
      if (end > 1) this.#take(text.slice(0, end));
    }
  }

  /** Whole events. @param {string} text */
  #take(text) {
    /** @type {LineRecord[]} */ let records = [];
    const flush = () => {
      if (!records.length) return;
      this.sink.lines(records, this.#place);
      this.#place = records[records.length - 1].cursor;
      records = [];
    };
    for (const block of text.split("\n\n")) {
      const at = block.startsWith("data: ") ? 0 : block.indexOf("\ndata: ") + 1;
      if (at === 0 && !block.startsWith("data: ")) continue;
      const record = JSON.parse(block.slice(at + 6));
      if ("line" in record) records.push(record);
      else {
        flush();
        if (record.cursor && !record.cursor.includes("~")) this.#place = record.cursor;
        this.sink.event(record);
      }
    }
    flush();
  }

  /** @param {URLSearchParams} query */
  async restart(query) {
    const url = new URL(this.#url ?? "");
    url.search = query.toString();
    this.#abort.abort();
    this.pause(false);
    this.#place = undefined;
    await this.open(url);
  }

  /** @param {boolean} isPaused */
  pause(isPaused) {
    if (isPaused === (this.#gate !== null)) return;
    if (isPaused) this.#gate = new Promise((resolve) => (this.#openGate = resolve));
    else {
      this.#openGate();
      this.#gate = null;
    }
  }

  close() {
    this.#abort.abort();
    this.pause(false);
  }
}
