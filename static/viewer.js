// @ts-check
// The page: its panes, and what the tools around them do to them.
import { $, element } from "./list/dom.js";
import { LogView } from "./list/log-view.js";
import { ofLevel, ofPattern } from "./model/finder.js";
import { Marks } from "./model/marks.js";
import { asNdjson, asText, copy, download, downloadText } from "./parts/export.js";
import { listenToKeys } from "./parts/keys.js";
import { Palette } from "./parts/palette.js";
import { fragment, keepSettings, readSettings, writeUrl } from "./parts/settings.js";
import { Sources } from "./parts/sources.js";
import { announce, showStatus } from "./parts/status.js";
import { logUrl, root } from "./protocol.js";
import { plural } from "./text/format.js";
import { toRegExp } from "./text/pattern.js";

const TOAST_MS = 4000;
/** Relative times grow. */
const AGES_MS = 10_000;
const isOn = (id) => $(id).ariaPressed === "true";
const turn = (id, isOn) => ($(id).ariaPressed = String(isOn));

/** @implements {Host} */
class Page {
  settings = readSettings();
  /** @type {Filter} */ filter = { grep: "", exclude: "", level: "" };
  /** What is highlighted and does not filter. */ highlighted = "";
  /** @type {LogView[]} */ panes = [];
  /** @type {LogView | undefined} */ pane;
  marks = new Marks();
  /** @type {Look} */ look = {
    highlight: null,
    time: "local",
    isWrapped: false,
    marks: this.marks,
  };
  #toast = 0;

  constructor() {
    customElements.define("tailcast-log", LogView);
    // A relative base would move with the page's path.
    document.querySelector("base")?.setAttribute("href", root.pathname);
    this.sources = new Sources({
      open: (name, how) => this.open(name, how),
      shown: () => this.panes.flatMap((pane) => pane.sources),
      known: () => this.#openLatest(),
    });
    this.palette = new Palette(
      () => this.sources.all.keys(),
      (name, how) => this.open(name, how),
    );
    this.#bindTools();
    this.#readUrl();
    announce(() => this.pane?.model);
    listenToKeys((action) => this.actions[action]?.());
    addEventListener("popstate", () => this.#readUrl());
    // A page left by a link is kept by the browser for the way back, and with it whatever it holds
    // open.
    addEventListener("pagehide", () => this.#eachOpen((connection) => connection.stop()));
    addEventListener(
      "pageshow",
      ({ persisted }) => persisted && this.#eachOpen((connection) => connection.start()),
    );
    document.addEventListener("visibilitychange", () => {
      for (const { model } of this.panes)
        if (model.isFollowing && !document.hidden) model.unread = 0;
      this.stateChanged();
    });
    setInterval(() => this.stateChanged(), 1000);
    setInterval(() => this.look.time === "relative" && this.#showLook(), AGES_MS);
  }

  #eachOpen(act) {
    for (const {
      model: { connection },
    } of this.panes)
      if (connection.state.kind !== "ended") act(connection);
  }

  // The URL: what is shown stands in the path and query, how it looks in the fragment.

  #readUrl() {
    const query = new URLSearchParams(location.search);
    const { grep = "", exclude = "", level = "" } = Object.fromEntries(query);
    const { highlight = "", marks = "", panes = "", line = "" } = Object.fromEntries(fragment());
    Object.assign(this, {
      filter: { grep, exclude, level },
      highlighted: highlight,
      settings: readSettings(),
    });
    this.marks.set(marks.split(","));
    const [, path = ""] = /^logs\/(.+)/.exec(location.pathname.slice(root.pathname.length)) ?? [];
    for (const pane of this.panes.splice(0)) pane.remove();
    this.pane = undefined;
    this.#showFilter();
    this.#showLook();
    const [first, ...others] = [decodeURIComponent(path), ...panes.split("|")].filter(Boolean);
    if (first) this.#addPane(first, query, line);
    for (const name of others) this.#addPane(name);
    this.#panesChanged();
  }

  /** Whoever names no log sees the one that was written to last. */
  #openLatest() {
    const [latest] = [...this.sources.all.values()].sort((a, b) =>
      (a.modified ?? "") < (b.modified ?? "") ? 1 : -1,
    );
    if (!latest) $("name").textContent = "no logs yet";
    else if (!this.panes.length) this.open(latest.name, "open", "replaceState");
  }

  /** @param {string} name @param {How} how @param {"pushState" | "replaceState"} [put] */
  open(name, how, put = "pushState") {
    this.#drawer(false);
    if (how === "split" && this.pane) {
      this.#addPane(name);
      return this.#panesChanged();
    }
    const url = logUrl((how === "merge" && this.pane?.nameWith(name)) || name, { ...this.filter });
    const hash = fragment();
    for (const key of ["marks", "line", "panes"]) hash.delete(key);
    url.hash = hash.toString();
    history[put](null, "", url);
    this.#readUrl();
    this.pane?.scroller.focus();
  }

  #addPane(name, query = new URLSearchParams(), line = "") {
    const pane = new LogView(this, name, query, this.filter, line);
    for (const event of ["focusin", "pointerdown"])
      pane.addEventListener(event, () => this.#choose(pane));
    this.panes.push(pane);
    $("panes").append(pane);
    this.#choose(pane);
  }

  #choose(pane) {
    this.pane = pane;
    for (const other of this.panes) other.classList.toggle("chosen", other === pane);
    this.stateChanged();
  }

  #panesChanged() {
    $("panes").classList.toggle("split", this.panes.length > 1);
    $("name").textContent = this.panes.map(({ name }) => name.replace(/^\{|\}$/g, "")).join(" | ");
    writeUrl(
      {},
      {
        panes: this.panes
          .slice(1)
          .map((pane) => pane.name)
          .join("|"),
      },
    );
    this.sources.render();
    this.stateChanged();
  }

  /** @param {LogView} pane */
  closePane(pane) {
    pane.remove();
    this.panes = this.panes.filter((other) => other !== pane);
    const url = new URL(location.href);
    url.pathname = logUrl(this.panes[0].name).pathname;
    history.replaceState(null, "", url);
    this.#choose(this.panes[0]);
    this.#panesChanged();
  }

  // What is shown.

  stateChanged() {
    const unread = this.panes.map(({ model }) =>
      model.isFollowing && !document.hidden ? 0 : (model.unread ?? 0),
    );
    showStatus(
      this.pane?.model,
      unread.reduce((a, b) => a + b, 0),
      this.pane?.name ?? "",
    );
    turn("follow", this.pane?.model.isFollowing ?? false);
  }

  #showLook() {
    const { theme, isWrapped, time } = this.settings;
    const html = document.documentElement;
    html.dataset.theme = theme;
    html.classList.toggle("wrap", isWrapped);
    turn("wrap", isWrapped);
    Object.assign(this.look, {
      isWrapped,
      time,
      highlight: toRegExp(this.highlighted || this.filter.grep),
    });
    for (const pane of this.panes) pane.refresh();
  }

  /** @param {Partial<Settings>} change */
  change(change) {
    const { theme, isWrapped } = Object.assign(this.settings, change);
    keepSettings(this.settings);
    writeUrl({}, { wrap: isWrapped ? "true" : "", theme: theme === "system" ? "" : theme });
    this.#showLook();
  }

  /** @param {string} text */
  say(text) {
    const toast = $("toast");
    toast.textContent = text;
    toast.hidden = false;
    clearTimeout(this.#toast);
    this.#toast = setTimeout(() => (toast.hidden = true), TOAST_MS);
  }

  #drawer(isOpen) {
    document.body.classList.toggle("drawer", isOpen);
    $("menu").ariaExpanded = String(isOpen);
  }

  // Search.

  #showFilter() {
    const { grep, exclude, level } = this.filter;
    const isInverse = !grep && !this.highlighted && exclude !== "";
    $("search").value = this.highlighted || grep || exclude;
    turn("mode", this.highlighted !== "");
    turn("invert", isInverse);
    $("chip").hidden = !exclude || isInverse;
    $("chip").textContent = `not: ${exclude} ×`;
    for (const button of $("levels").children) button.ariaPressed = String(button.value === level);
    this.#showError("");
  }

  #showError(text) {
    $("search-error").textContent = text;
    $("search").ariaInvalid = String(text !== "");
  }

  /** Applies what stands in the field. */
  #applySearch() {
    const text = $("search").value;
    if (isOn("invert")) return this.setFilter({ exclude: text, grep: "" }, "");
    const exclude = $("chip").hidden ? "" : this.filter.exclude;
    return isOn("mode")
      ? this.setFilter({ grep: "", exclude }, text)
      : this.setFilter({ grep: text, exclude }, "");
  }

  /** @param {Partial<Filter>} change @param {string} highlighted */
  async setFilter(change, highlighted = this.highlighted) {
    const filter = { ...this.filter, ...change };
    try {
      if (JSON.stringify(filter) !== JSON.stringify(this.filter))
        await Promise.all(this.panes.map((pane) => pane.model.setFilter(filter, pane.anchor)));
    } catch (error) {
      return this.#showError(error.message);
    }
    Object.assign(this, { filter, highlighted });
    writeUrl({ ...filter }, { highlight: highlighted });
    this.#showFilter();
    this.#showLook();
  }

  #hit(direction) {
    if (!this.look.highlight) return this.say("nothing is searched for: / begins");
    this.#find(direction, ofPattern(this.look.highlight, this.highlighted || this.filter.grep));
  }

  #find(direction, wanted) {
    this.pane
      ?.find(direction, wanted)
      .catch((error) => this.say(`the search failed: ${error.message}`));
  }

  // Marks and export.

  /** @param {Line} line */
  toggleMark(line) {
    this.marks.toggle(line);
    line.isStale = true;
    for (const pane of this.panes) pane.schedule();
    writeUrl({}, { marks: [...this.marks.all.keys()].join(",") });
  }

  #nextMark(direction) {
    const { pane } = this;
    const [cursor] = this.marks.all.keys();
    if (!pane || !cursor) return this.say("no marks: m makes one");
    const wanted = { what: "", test: this.marks.has, query: {} };
    if (pane.findHere(direction, wanted)) return;
    if (pane.model.store.lines.some(this.marks.has))
      return this.say(`no ${direction > 0 ? "later" : "earlier"} mark`);
    pane.model
      .reopen({ from: cursor }, { cursor, offset: -1 })
      .catch((error) => this.say(error.message));
  }

  /** The marked lines, or the selected one. */
  get #chosen() {
    const marked = this.marks.seen(this.pane?.model.store.lines ?? []);
    return marked.length || !this.pane?.selected ? marked : [this.pane.selected];
  }

  #copyLines(form) {
    const lines = this.#chosen;
    if (!lines.length) return this.say("mark lines with m, or select one");
    this.#copy(form(lines), plural(lines.length, "line"));
  }

  #copy(text, what) {
    copy(text).then(
      () => this.say(`${what} copied`),
      (error) => this.say(error.message),
    );
  }

  // Tools and keys.

  /** @type {Record<string, () => any>} false: not for us */
  actions = {
    search: () => document.activeElement !== $("search") && $("search").select(),
    mode: () => this.#flip("mode", "invert"),
    invert: () => this.#flip("invert", "mode"),
    clear: () => {
      if ($("search").value || this.highlighted) {
        $("search").value = "";
        void this.setFilter({ grep: "", exclude: "" }, "");
      } else if (!document.body.classList.contains("drawer")) this.pane?.select(null);
      this.#drawer(false);
      this.pane?.scroller.focus({ preventScroll: true });
    },
    chip: () => this.setFilter({ exclude: "" }),
    top: () => this.pane?.toTop(),
    end: () => this.pane?.toEnd(),
    pause: () => this.pane?.togglePause(),
    space: () =>
      this.pane?.model.isFollowing ? this.pane.togglePause() : this.pane?.scrollPages(1),
    down: () => this.pane?.moveSelection(1),
    up: () => this.pane?.moveSelection(-1),
    toggle: () => this.pane?.toggleOpen(),
    fold: () => this.pane?.foldAll(),
    mark: () =>
      this.pane?.selected
        ? this.toggleMark(this.pane.selected)
        : this.say("select a line first: j, k or a click"),
    copy: () => this.#copyLines(asText),
    copyNdjson: () => this.#copyLines(asNdjson),
    link: () =>
      this.pane?.selected
        ? this.#copy(this.pane.linkTo(this.pane.selected), "link")
        : this.say("select a line first"),
    jump: () => $("jump").showModal(),
    wrap: () => this.change({ isWrapped: !this.settings.isWrapped }),
    palette: () => this.palette.show(),
    menu: () => this.#drawer(!document.body.classList.contains("drawer")),
    sources: () => {
      this.#drawer(true);
      $("list").querySelector("a")?.focus();
    },
    log: () => {
      const at = this.pane ? this.panes.indexOf(this.pane) : 0;
      const isThere = this.pane?.contains(document.activeElement);
      this.panes[(at + (isThere ? 1 : 0)) % this.panes.length]?.scroller.focus();
    },
    levels: () => $("levels").firstElementChild.focus(),
    more: () => {
      for (const select of $("settings").querySelectorAll("select"))
        select.value = String(this.settings[select.name]);
      $("more").showModal();
    },
    saveText: () => downloadText(asText(this.#loaded), this.#fileName("txt")),
    saveFiltered: () =>
      this.#save({ ...this.filter, format: "text", tail: "all", follow: "false" }, "txt"),
    saveSource: () => this.#save({ format: "raw" }, "log"),
    clearView: () => this.pane?.model.clear(),
    // Who has to log in again is sent there.
    retry: () =>
      this.pane?.model.connection.state.kind === "ended"
        ? location.reload()
        : this.pane?.model.connection.retry(),
    help: () => $("help").showModal(),
  };

  get #loaded() {
    return this.pane?.model.store.lines.filter((line) => line.note === undefined) ?? [];
  }

  #fileName = (extension) => `${this.pane?.name.replace(/[^\w.-]+/g, "_")}.${extension}`;

  #save(query, extension) {
    if (this.pane) download(logUrl(this.pane.name, query).href, this.#fileName(extension));
  }

  #flip(id, other) {
    turn(id, !isOn(id));
    turn(other, false);
    if ($("search").value) void this.#applySearch();
  }

  #bindTools() {
    for (const [way, by] of /** @type {[string, number][]} */ ([
      ["next", 1],
      ["previous", -1],
    ])) {
      this.actions[way] = () => this.#hit(by);
      this.actions[`${way}Error`] = () => this.#find(by, ofLevel(["error", "fatal"], "error"));
      this.actions[`${way}Warning`] = () => this.#find(by, ofLevel(["warn"], "warning"));
      this.actions[`${way}Mark`] = () => this.#nextMark(by);
    }
    for (const [name, pages] of Object.entries({
      pageDown: 1,
      pageUp: -1,
      halfDown: 0.5,
      halfUp: -0.5,
    })) {
      this.actions[name] = () => this.pane?.scrollPages(pages);
    }
    addEventListener("click", ({ target }) => {
      const button = /** @type {HTMLElement | null} */ (
        /** @type {Element} */ (target).closest("[data-act]")
      );
      if (button?.closest("#more")) $("more").close();
      if (button) this.actions[button.dataset.act ?? ""]?.();
      else if (/** @type {Element} */ (target).closest("main")) this.#drawer(false);
    });
    $("levels").append(
      ...["", "debug", "info", "warn", "error", "fatal"].map((value) =>
        Object.assign(element("button", "", value || "all"), { value }),
      ),
    );
    $("levels").addEventListener("click", ({ target: { value } }) => {
      if (value !== undefined)
        void this.setFilter({ level: value === this.filter.level ? "" : value });
    });
    $("find").addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#applySearch().then(
        () => $("search-error").textContent || this.pane?.scroller.focus({ preventScroll: true }),
      );
    });
    $("search").addEventListener("search", () => $("search").value || this.#applySearch());
    $("jump").addEventListener("close", () => {
      const time = $("jump-time").value.trim();
      if ($("jump").returnValue === "go" && time)
        this.pane?.jumpToTime(time).catch((error) => this.say(error.message));
    });
    $("settings").addEventListener("change", ({ target: { name, value } }) => {
      this.change({ [name]: name.startsWith("is") ? value === "true" : value });
    });
    for (const dialog of document.querySelectorAll("dialog"))
      dialog.addEventListener("click", ({ target }) => target === dialog && dialog.close());
  }
}

new Page();
