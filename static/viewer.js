// The page: puts its parts together, and shows what its URL says.
import { $, setPressed } from "./list/dom.js";
import { actionsOf, bindButtons } from "./parts/actions.js";
import { bindDialogs, setDrawer, toast, toastError } from "./parts/overlays.js";
import { listenToKeys } from "./parts/keys.js";
import { Marking } from "./parts/marking.js";
import { Palette } from "./parts/palette.js";
import { Panes } from "./parts/panes.js";
import { Search } from "./parts/search.js";
import { keepSettings, readSettings } from "./parts/settings.js";
import { Sources } from "./parts/sources.js";
import { announce, showStatus } from "./parts/status.js";
import { openUrl, readUrl } from "./parts/url.js";
import { root } from "./protocol.js";

const STATE_MS = 1000;
/** Relative times grow. */
const AGES_MS = 10_000;

/** @import { Tools } from "./parts/actions.js" */
/** @import { Searched } from "./parts/search.js" */

/** @implements {Host} @implements {Searched} @implements {Tools} */
class Page {
  settings = readSettings();
  toast = toast;
  panes = new Panes(this, () => this.sources.render());
  search = new Search(this);
  marking = new Marking(this.panes);
  /** @type {Appearance} */
  appearance = { highlight: null, time: "local", isWrapped: false, marks: this.marking.marks };
  sources = new Sources({
    open: (name, how) => this.open(name, how),
    shown: () => this.panes.sources,
    known: () => this.#openLatest(),
  });
  palette = new Palette(
    () => this.sources.all.keys(),
    (name, how) => this.open(name, how),
  );

  constructor() {
    // A relative base would move with the page's path.
    document.querySelector("base")?.setAttribute("href", root.pathname);
    const actions = actionsOf(this);
    bindButtons(actions);
    bindDialogs({
      jump: (time) => void this.panes.chosen?.finding.time(time).catch(toastError),
      change: (change) => this.change(change),
    });
    this.#show();
    announce(() => this.panes.chosen?.model);
    listenToKeys((action) => actions[action]?.());
    addEventListener("popstate", () => this.#show());
    setInterval(() => this.stateChanged(), STATE_MS);
    setInterval(() => {
      if (this.appearance.time === "relative") this.#showAppearance();
    }, AGES_MS);
  }

  /** Shows what the URL says. */
  #show() {
    const { names, query, filter, highlighted, marks, line } = readUrl();
    this.settings = readSettings();
    this.marking.marks.set(marks);
    this.search.read(filter, highlighted);
    this.#showAppearance();
    this.panes.replace(names, query, filter, line);
  }

  /** Whoever names no log sees the one that was written to last. */
  #openLatest() {
    const { latest } = this.sources;
    if (!latest) $("name").textContent = "no logs yet";
    else if (!this.panes.all.length) this.open(latest.name, "open", "replaceState");
  }

  /** @param {string} name @param {How} how @param {"pushState" | "replaceState"} [way] */
  open(name, how, way = "pushState") {
    const { panes, search } = this;
    setDrawer(false);
    if (how === "split" && panes.chosen) return panes.add(name, search.filter);
    openUrl(how === "merge" ? panes.mergedName(name) : name, search.filter, way);
    this.#show();
    panes.chosen?.scroller.focus();
  }

  /** @param {LogView} pane */
  closePane(pane) {
    this.panes.close(pane);
  }

  /** @param {Line} line */
  toggleMark(line) {
    this.marking.toggle(line);
  }

  /** @param {Filter} filter */
  setFilter(filter) {
    return this.panes.setFilter(filter);
  }

  searchChanged() {
    this.#showAppearance();
  }

  searchDone() {
    this.panes.focus();
  }

  /** How the stream of the chosen pane is. */
  stateChanged() {
    const { chosen, unread } = this.panes;
    showStatus(chosen?.model, unread, chosen?.name ?? "");
    setPressed("follow", chosen?.model.isFollowing ?? false);
  }

  /** @param {Partial<Settings>} change */
  change(change) {
    Object.assign(this.settings, change);
    keepSettings(this.settings);
    this.#showAppearance();
  }

  #showAppearance() {
    const { theme, isWrapped, time } = this.settings;
    const html = document.documentElement;
    html.dataset.theme = theme;
    html.classList.toggle("wrap", isWrapped);
    setPressed("wrap", isWrapped);
    Object.assign(this.appearance, { isWrapped, time, highlight: this.search.highlight });
    this.panes.refresh();
  }
}

new Page();
