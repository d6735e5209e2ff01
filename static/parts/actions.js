// Actions: all that a key or a button does, by the name that `keys.js` and `data-act` call it.
import { $, targetOf } from "../list/dom.js";
import { ofLevel, ofPattern } from "../model/finder.js";
import { Refusal } from "../protocol.js";
import {
  closeDialog,
  isDrawerOpen,
  setDrawer,
  showDialog,
  showSettings,
  toast,
} from "./overlays.js";
import {
  asNdjson,
  asText,
  copyLines,
  copyLink,
  saveFiltered,
  saveShown,
  saveSource,
} from "./export.js";

/**
 * What is acted on.
 * @typedef {object} Tools
 * @property {Panes} panes
 * @property {Search} search
 * @property {Marking} marking
 * @property {Palette} palette
 * @property {Settings} settings
 * @property {(change: Partial<Settings>) => void} change
 */

/** False: it is not for us, but for the browser. @typedef {() => boolean | void} Action */

/** @param {Tools} tools @returns {Record<string, Action>} */
export function actionsOf(tools) {
  return { ...ofSearch(tools), ...ofPane(tools), ...ofLines(tools), ...ofPage(tools) };
}

/** @param {Tools} tools @returns {Record<string, Action>} */
function ofSearch({ panes, search, marking }) {
  /** @param {number} direction @param {Wanted} wanted */
  const find = (direction, wanted) => {
    const failed = (/** @type {unknown} */ error) =>
      toast(`the search failed: ${Refusal.from(error).message}`);
    panes.chosen?.finding.next(direction, wanted).catch(failed);
  };
  /** @param {number} direction */
  const hit = (direction) => {
    const { highlight, pattern } = search;
    if (highlight) find(direction, ofPattern(highlight, pattern));
    else toast("nothing is searched for: / begins");
  };
  const error = ofLevel(["error", "fatal"], "error");
  const warning = ofLevel(["warn"], "warning");
  return {
    search: () => (search.isFocused ? false : search.focus()),
    mode: () => search.flipMode(),
    invert: () => search.flipInverse(),
    chip: () => void search.set({ exclude: "" }),
    clear: () => {
      if (!search.clear() && !isDrawerOpen()) panes.chosen?.selection.set(null);
      setDrawer(false);
      panes.focus();
    },
    next: () => hit(1),
    previous: () => hit(-1),
    nextError: () => find(1, error),
    previousError: () => find(-1, error),
    nextWarning: () => find(1, warning),
    previousWarning: () => find(-1, warning),
    nextMark: () => marking.next(1),
    previousMark: () => marking.next(-1),
  };
}

/** @param {Tools} tools @returns {Record<string, Action>} */
function ofPane({ panes }) {
  /** @param {(pane: LogView) => unknown} act @returns {Action} */
  const inPane = (act) => () => {
    if (panes.chosen) act(panes.chosen);
  };
  return {
    top: inPane(({ finding }) => finding.first()),
    end: inPane((pane) => pane.toEnd()),
    pause: inPane((pane) => pane.togglePause()),
    space: inPane((pane) => (pane.model.isFollowing ? pane.togglePause() : pane.scrollPages(1))),
    down: inPane(({ selection }) => selection.move(1)),
    up: inPane(({ selection }) => selection.move(-1)),
    pageDown: inPane((pane) => pane.scrollPages(1)),
    pageUp: inPane((pane) => pane.scrollPages(-1)),
    halfDown: inPane((pane) => pane.scrollPages(0.5)),
    halfUp: inPane((pane) => pane.scrollPages(-0.5)),
    toggle: inPane(({ selection }) => selection.toggleOpen()),
    fold: inPane(({ selection }) => selection.foldAll()),
    clearView: inPane(({ model }) => model.clear()),
    retry: inPane(({ model: { connection } }) => {
      // Who has to log in again is sent there.
      if (connection.state.kind === "ended") location.reload();
      else connection.retry();
    }),
  };
}

/** @param {Tools} tools @returns {Record<string, Action>} */
function ofLines({ panes, marking, search }) {
  return {
    mark: () => marking.toggleSelected(),
    copy: () => copyLines(marking.lines, asText),
    copyNdjson: () => copyLines(marking.lines, asNdjson),
    link: () => copyLink(panes.chosen),
    saveText: () => panes.chosen && saveShown(panes.chosen),
    saveFiltered: () => panes.chosen && saveFiltered(panes.chosen, search.filter),
    saveSource: () => panes.chosen && saveSource(panes.chosen),
  };
}

/** @param {Tools} tools @returns {Record<string, Action>} */
function ofPage(tools) {
  return {
    jump: () => showDialog("jump"),
    wrap: () => tools.change({ isWrapped: !tools.settings.isWrapped }),
    palette: () => tools.palette.show(),
    menu: () => setDrawer(!isDrawerOpen()),
    sources: () => {
      setDrawer(true);
      $("list").querySelector("a")?.focus();
    },
    log: () => tools.panes.focusNext(),
    levels: () => $("levels").querySelector("button")?.focus(),
    more: () => showSettings(tools.settings),
    help: () => showDialog("help"),
  };
}

/** @param {Record<string, Action>} actions */
export function bindButtons(actions) {
  addEventListener("click", (event) => {
    const target = targetOf(event);
    const button = target.closest("[data-act]");
    if (button?.closest("#more")) closeDialog("more");
    if (button) actions[button.getAttribute("data-act") ?? ""]?.();
    else if (target.closest("main")) setDrawer(false);
  });
}
