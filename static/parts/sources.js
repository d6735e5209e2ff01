// @ts-check
// The list of all sources in their folders, as they are now. Of thousands only those in view are
// elements.
import { $, element } from "../list/dom.js";
import { logUrl, root } from "../protocol.js";
import { size, span } from "../text/format.js";
import { printable } from "../text/visible.js";

const ACTIVE_MS = 2500;
const RETRY_MS = 5000;
const folderOf = (name) => name.slice(0, name.lastIndexOf("/") + 1);

export class Sources {
  /** @type {Map<string, SourceStatus>} */ all = new Map();
  #list = $("list");
  #box = $("list").firstElementChild;
  /** Folders by their name, and sources. @type {(string | SourceStatus)[]} */ #items = [];
  #closed = new Set();
  /** @type {EventSource | null | void} */ #events = null;
  #isDue = false;
  #isStale = true;

  /**
   * @param {{ open: (name: string, how: How) => void, shown: () => string[], known: () => void }}
   * host
   */
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
    if (document.hidden) this.#events = this.#events?.close();
    if (document.hidden || this.#events) return;
    const events = (this.#events = new EventSource(new URL("api/sources", root)));
    /** @type {Record<string, (data: any) => void>} */
    const take = {
      sources: ({ sources }) => {
        this.all = new Map(sources.map((source) => [source.name, source]));
        this.host.known();
      },
      added: (source) => this.all.set(source.name, { ...source, at: Date.now() }),
      removed: ({ name }) => this.all.delete(name),
      changed: (source) =>
        Object.assign(this.all.get(source.name) ?? {}, source, { at: Date.now() }),
    };
    for (const name of Object.keys(take)) {
      events.addEventListener(name, ({ data }) => {
        take[name](JSON.parse(data));
        this.#schedule(name !== "changed");
      });
    }
    events.onerror = () => {
      if (events.readyState !== EventSource.CLOSED) return;
      this.#events = null;
      setTimeout(() => this.#listen(), RETRY_MS);
    };
  }

  /** @param {boolean} isOther which there are has changed */
  #schedule(isOther) {
    this.#isStale ||= isOther;
    if (this.#isDue) return;
    this.#isDue = true;
    requestAnimationFrame(() => {
      this.#isDue = false;
      if (this.#isStale) this.#arrange();
      this.render();
    });
  }

  #arrange() {
    this.#isStale = false;
    const { compare } = new Intl.Collator("en", { numeric: true });
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
          typeof item === "string" ? this.#folderRow(item) : sourceRow(item, shown.has(item.name));
        row.style.top = `${(from + i) * rowPx}px`;
        return row;
      }),
    );
    if (focused)
      this.#box
        .querySelector(`[data-key="${CSS.escape(focused)}"]`)
        ?.focus({ preventScroll: true });
  }

  #folderRow(folder) {
    const isOpen = !this.#closed.has(folder);
    const row = element("button", "folder", `${isOpen ? "▾" : "▸"} ${printable(folder)}`);
    Object.assign(row.dataset, { key: folder, how: "fold" });
    row.ariaExpanded = String(isOpen);
    return row;
  }

  #clicked = (event) => {
    const { key = "", how } = event.target.closest("[data-key]")?.dataset ?? {};
    if (!how || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    if (how !== "fold") return this.host.open(key.slice(how.length), how);
    if (!this.#closed.delete(key)) this.#closed.add(key);
    this.#schedule(true);
  };
}

/** @param {SourceStatus} source @param {boolean} isShown */
function sourceRow({ name, size: bytes, modified, at = 0 }, isShown) {
  const now = Date.now();
  const age = modified ? span(Math.max(0, now - Date.parse(modified))) : "empty";
  const link = element(
    "a",
    "",
    element("i"),
    element("span", "name", printable(name.slice(folderOf(name).length))),
    element("small", "", `${size(bytes)} · ${age}`),
  );
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
