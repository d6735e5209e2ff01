// Settings: kept per browser; wrap and theme also stand in the URL's fragment, where they differ.
import { fragment, writeUrl } from "./url.js";

const KEY = "tailcast";

/** @returns {Settings} */
export function readSettings() {
  /** @type {Settings} */ const settings = { theme: "system", isWrapped: false, time: "local" };
  try {
    Object.assign(settings, JSON.parse(localStorage.getItem(KEY) ?? "{}"));
  } catch {
    // Kept from us, or not ours: the defaults.
  }
  const { wrap, theme } = Object.fromEntries(fragment());
  if (wrap) settings.isWrapped = wrap === "true";
  if (theme === "light" || theme === "dark") settings.theme = theme;
  return settings;
}

/** @param {Settings} settings */
export function keepSettings(settings) {
  const { theme, isWrapped } = settings;
  try {
    localStorage.setItem(KEY, JSON.stringify(settings));
  } catch {
    // Then they last as long as the page.
  }
  writeUrl({}, { wrap: isWrapped ? "true" : "", theme: theme === "system" ? "" : theme });
}
