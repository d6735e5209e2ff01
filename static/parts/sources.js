// The list of all sources in their folders, as they are now. Of thousands only those in view are
// elements.
import { $, element, Frames, targetOf } from "../list/dom.js";
import { logUrl, root } from "../protocol.js";
import { size, span } from "../text/format.js";
import { printable } from "../text/visible.js";

/**
 * Who shows sources.
 * @typedef {object} SourcesHost
 * @property {(name: string, how: How) => void} open
 * @property {() => string[]} shown
 * @property {() => void} known all sources are there
 */

const RETRY_MS = 5000;
const ACTIVE_MS = 2500;

/** @param {string} name */
const folderOf = (name) => name.slice(0, name.lastIndexOf("/") + 1);
const { compare } = new Intl.Collator("en", { numeric: true });

export class Sources {
  /** @type {Map<string, SourceStatus>} */ all = new Map();
  #list = $("list");
  #box = $("list-rows");
  /** Folders by their name, and sources. @type {(string | SourceStatus)[]} */ #items = [];
  /** @type {Set<string>} */ #closed = new Set();
  /** @type {EventSource | null} */ #events = null;
  #isStale = true;
  #frames = new Frames(() => {
    if (this.#isStale) this.#arrange();
    this.render();
  });

  /** @param {SourcesHost} host */
  constructor(host) {
    this.host = host;
    this.#list.addEventListener("scroll", () => this.render(), { passive: true });
    this.#box.addEventListener("click", this.#clicked);
    new ResizeObserver(() => this.render()).observe(this.#list);
    document.addEventListener("visibilitychange", () => this.#listen());
    setInterval(() => this.render(), RETRY_MS);
    this.#listen();
  }

  /** A page that nobody sees needs no list, and browsers have few connections. */
  #listen() {
    if (document.hidden) {
      this.#events?.close();
      this.#events = null;
    }
    if (document.hidden || this.#events) return;
    const events = (this.#events = new EventSource(new URL("api/sources", root)));
    /** @template T @param {string} name @param {(data: T) => void} take */
    const on = (name, take) =>
      events.addEventListener(name, ({ data }) => {
        take(JSON.parse(data));
        this.#schedule(name !== "changed");
      });
    on("sources", (/** @type {{ sources: SourceStatus[] }} */ { sources }) => {
      this.all = new Map(sources.map((source) => [source.name, source]));
      this.host.known();
    });
    on("added", (/** @type {SourceStatus} */ source) =>
      this.all.set(source.name, { ...source, at: Date.now() }),
    );
    on("removed", (/** @type {SourceStatus} */ { name }) => this.all.delete(name));
    on("changed", (/** @type {SourceStatus} */ source) => {
      Object.assign(this.all.get(source.name) ?? {}, source, { at: Date.now() });
    });
    events.onerror = () => {
      if (events.readyState !== EventSource.CLOSED) return;
      this.#events = null;
      setTimeout(() => this.#listen(), RETRY_MS);
    };
  }

  /** @param {boolean} isOther which there are has changed */
  #schedule(isOther) {
    this.#isStale ||= isOther;
    this.#frames.schedule();
  }

  /** The one that was written to last. */
  get latest() {
    return [...this.all.values()].sort((a, b) =>
      (a.modified ?? "") < (b.modified ?? "") ? 1 : -1,
    )[0];
  }

  #arrange() {
    this.#isStale = false;
    const sorted = [...this.all.values()].sort(
      (a, b) => compare(folderOf(a.name), folderOf(b.name)) || compare(a.name, b.name),
    );
    let folder = "";
    this.#items = sorted.flatMap((source) => {
      const isOther = folderOf(source.name) !== folder;
      folder = folderOf(source.name);
      return [...(isOther ? [folder] : []), ...(this.#closed.has(folder) ? [] : [source])];
    });
  }

  render() {
    const rowPx = parseFloat(getComputedStyle(this.#list).getPropertyValue("--row"));
    this.#box.style.height = `${this.#items.length * rowPx}px`;
    const from = Math.max(0, Math.floor(this.#list.scrollTop / rowPx) - 5);
    const items = this.#items.slice(from, from + Math.ceil(this.#list.clientHeight / rowPx) + 10);
    const focused = document.activeElement?.getAttribute("data-key");
    const shown = new Set(this.host.shown());
    this.#box.replaceChildren(
      ...items.map((item, i) => {
        const row =
          typeof item === "string"
            ? folderRow(item, !this.#closed.has(item))
            : sourceRow(item, shown.has(item.name));
        row.style.top = `${(from + i) * rowPx}px`;
        return row;
      }),
    );
    if (!focused) return;
    const again = this.#box.querySelector(`[data-key="${CSS.escape(focused)}"]`);
    if (again instanceof HTMLElement) again.focus({ preventScroll: true });
  }

  /** @param {MouseEvent} event */
  #clicked = (event) => {
    const row = targetOf(event).closest("[data-key]");
    if (!(row instanceof HTMLElement) || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const { key = "", how } = row.dataset;
    event.preventDefault();
    if (how === "open" || how === "split" || how === "merge")
      return this.host.open(key.slice(how.length), how);
    if (!this.#closed.delete(key)) this.#closed.add(key);
    this.#schedule(true);
  };
}

/** @param {string} folder @param {boolean} isOpen */
function folderRow(folder, isOpen) {
  const row = element("button", "folder", `${isOpen ? "▾" : "▸"} ${printable(folder)}`);
  Object.assign(row.dataset, { key: folder, how: "fold" });
  row.ariaExpanded = String(isOpen);
  return row;
}

/** @param {SourceStatus} source @param {boolean} isShown */
function sourceRow({ name, size: bytes, modified, at = 0 }, isShown) {
  const now = Date.now();
  const age = modified ? span(Math.max(0, now - Date.parse(modified))) : "empty";
  const label = element("span", "name", printable(name.slice(folderOf(name).length)));
  const state = element("small", "", `${size(bytes)} · ${age}`);
  const link = element("a", "", element("i"), label, state);
  const row = element("div", now - at < ACTIVE_MS ? "source-row active" : "source-row", link);
  Object.assign(link, {
    href: logUrl(name).href,
    title: name,
    ariaCurrent: isShown ? "page" : null,
  });
  Object.assign(link.dataset, { key: `open${name}`, how: "open" });
  for (const [how, sign, words] of [
    ["split", "◫", "Show beside"],
    ["merge", "+", "Merge by time"],
  ]) {
    const button = element("button", "icon", sign);
    Object.assign(button.dataset, { key: how + name, how });
    button.title = button.ariaLabel = `${words}: ${name}`;
    row.append(button);
  }
  return row;
}
