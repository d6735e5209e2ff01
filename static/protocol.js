// URLs and names as the server has them, and records read from an answer's body.

/** What the server refused, in its words. */
export class Refusal extends Error {
  constructor(/** @type {string} */ detail, status = 0, retryAfter = 0) {
    super(detail);
    this.status = status;
    /** In seconds. */
    this.retryAfter = retryAfter;
  }

  /** It will not become better by itself. */
  get isLasting() {
    return [400, 401, 403, 406].includes(this.status);
  }

  /** Whatever was thrown. @param {unknown} error */
  static from(error) {
    if (error instanceof Refusal) return error;
    return new Refusal(error instanceof Error ? error.message : String(error));
  }
}

/** The root of all URLs, whatever a proxy puts before it. */
export const root = new URL("./", document.baseURI);

/** @param {string} part */
const encode = (part) => encodeURIComponent(part).replace(/%(?:2C|7B|7D|2A)/g, decodeURIComponent);

/** @param {string} name @param {Query} [query] @returns {URL} */
export function logUrl(name, query = {}) {
  const url = new URL(`logs/${name.split("/").map(encode).join("/")}`, root);
  for (const [key, value] of Object.entries(query)) if (value) url.searchParams.set(key, value);
  return url;
}

/** @param {string} name */
export const isGlob = (name) => /[*?[{]/.test(name);
/** @param {string[]} names */
export const globOf = (names) =>
  `{${names.map((name) => name.replace(/[*?[\]{},]/g, "[$&]")).join(",")}}`;

/**
 * The records of an answer, as many at a time as have come.
 * @param {URL} url
 * @param {AbortSignal} [signal]
 * @param {() => Promise<void> | null} [ready] waited for before each read: who does not read slows
 *   the server
 * @returns {AsyncGenerator<(LineRecord | EventRecord)[], void>}
 */
export async function* readRecords(url, signal, ready) {
  const accept =
    url.searchParams.get("format") === "sse" ? "text/event-stream" : "application/x-ndjson";
  const response = await fetch(url, { signal, cache: "no-store", headers: { accept } });
  if (!response.ok) {
    const problem = await response.json().catch(() => null);
    throw new Refusal(
      problem?.detail ?? `${response.status} ${response.statusText}`,
      response.status,
      Number(response.headers.get("retry-after")) || 0,
    );
  }
  yield [];
  const reader = response.body?.getReader();
  const decoder = new TextDecoder();
  for (let rest = ""; reader;) {
    await ready?.();
    const { done, value } = await reader.read();
    const lines = (rest + decoder.decode(value, { stream: !done })).split("\n");
    rest = lines.pop() ?? "";
    yield lines
      .filter((line) => /^(?:data: )?\{/.test(line))
      .map((line) => JSON.parse(line.replace(/^data: /, "")));
    if (done) return;
  }
}
