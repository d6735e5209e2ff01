// Ends: what stands above the first line of a pane, and the badge that leads to its last.
import { plural } from "../text/format.js";
import { element } from "./dom.js";

export class Ends {
  head = element("button", "head");
  badge = element("button", "badge");

  /** @param {LogModel} model @param {number} nBelow lines below the view */
  render(model, nBelow) {
    const { backfill, unread, isBehind, isFollowing } = model;
    const head = headOf(model);
    this.head.disabled = !head || backfill.isLoading || (backfill.isAtBegin && !backfill.isCleared);
    setText(this.head, head);
    const words = `${isBehind ? "or more " : ""}new line`;
    setText(this.badge, unread ? `↓ ${plural(unread, words)}` : "↓ to the end");
    this.badge.hidden = isFollowing || !(nBelow > 0 || isBehind || unread);
  }
}

/** @param {LogModel} model */
function headOf({ backfill: { isAtBegin, isCleared, isLoading, error }, store }) {
  if (isCleared) return "show earlier lines";
  if (isLoading) return "loading earlier lines…";
  if (error) return `earlier lines could not be read (${error}): try again`;
  if (!store.places.size) return "";
  if (!isAtBegin) return "show earlier lines";
  return store.lines.length ? "the beginning" : "no lines yet";
}

/** @param {HTMLElement} node @param {string} text */
function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}
