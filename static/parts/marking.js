// Marking: lines are marked, and walked from mark to mark.
import { Marks } from "../model/marks.js";
import { toast, toastError } from "./overlays.js";
import { writeUrl } from "./url.js";

export class Marking {
  marks = new Marks();

  /** @param {Panes} panes */
  constructor(panes) {
    this.panes = panes;
  }

  /** @param {Line} line */
  toggle(line) {
    this.marks.toggle(line);
    line.isStale = true;
    this.panes.schedule();
    writeUrl({}, { marks: [...this.marks.all.keys()].join(",") });
  }

  toggleSelected() {
    const line = this.panes.chosen?.selection.line;
    if (line) this.toggle(line);
    else toast("select a line first: j, k or a click");
  }

  /** @param {number} direction */
  next(direction) {
    const { marks, panes } = this;
    const pane = panes.chosen;
    const [cursor] = marks.all.keys();
    if (!pane || !cursor) return toast("no marks: m makes one");
    const { model, selection } = pane;
    if (selection.find(direction, { what: "", test: marks.has, query: {} })) return;
    if (model.store.lines.some(marks.has))
      return toast(`no ${direction > 0 ? "later" : "earlier"} mark`);
    model.reopen({ from: cursor }, { cursor, offset: -1 }).catch(toastError);
  }

  /** The marked lines, or the selected one. @returns {Line[]} */
  get lines() {
    const pane = this.panes.chosen;
    if (!pane) return this.marks.seen([]);
    const marked = this.marks.seen(pane.model.store.lines);
    return marked.length || !pane.selection.line ? marked : [pane.selection.line];
  }
}
