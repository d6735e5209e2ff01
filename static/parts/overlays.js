// Overlays: what lies over the panes for a while. The toast, the dialogs, and where there is little
// room the drawer with the list of sources.
import { $ } from "../list/dom.js";
import { Refusal } from "../protocol.js";

const TOAST_MS = 4000;
let timer = 0;

/** A word that goes away by itself. @param {string} text */
export function toast(text) {
  const place = $("toast");
  place.textContent = text;
  place.hidden = false;
  clearTimeout(timer);
  timer = setTimeout(() => (place.hidden = true), TOAST_MS);
}

/** @param {unknown} error */
export const toastError = (error) => toast(Refusal.from(error).message);

export const isDrawerOpen = () => document.body.classList.contains("drawer");

/** @param {boolean} isOpen */
export function setDrawer(isOpen) {
  document.body.classList.toggle("drawer", isOpen);
  $("menu").ariaExpanded = String(isOpen);
}

/** @param {string} id */
export const showDialog = (id) => $(id, HTMLDialogElement).showModal();

/** @param {string} id */
export const closeDialog = (id) => $(id, HTMLDialogElement).close();

/** @param {Settings} settings */
export function showSettings(settings) {
  const values = new Map(Object.entries(settings));
  for (const select of $("settings").querySelectorAll("select"))
    select.value = String(values.get(select.name));
  showDialog("more");
}

/**
 * @param {object} host
 * @param {(time: string) => void} host.jump
 * @param {(change: Partial<Settings>) => void} host.change
 */
export function bindDialogs({ jump, change }) {
  $("jump").addEventListener("close", () => {
    const time = $("jump-time", HTMLInputElement).value.trim();
    if ($("jump", HTMLDialogElement).returnValue === "go" && time) jump(time);
  });
  $("settings").addEventListener("change", ({ target }) => {
    if (!(target instanceof HTMLSelectElement)) return;
    const { name, value } = target;
    change({ [name]: name.startsWith("is") ? value === "true" : value });
  });
  // A click beside a dialog is one on the dialog itself.
  for (const dialog of document.querySelectorAll("dialog"))
    dialog.addEventListener("click", ({ target }) => {
      if (target === dialog) dialog.close();
    });
}
