// @ts-check
// Settings: kept per browser; wrap and theme also stand in the URL's fragment, where they differ.

const KEY = "tailcast";

export const fragment = () => new URLSearchParams(location.hash.slice(1));

/** @returns {Settings} */
export function readSettings() {
  /** @type {any} */ const settings = { theme: "system", isWrapped: false, time: "local" };
  try {
    Object.assign(settings, JSON.parse(localStorage.getItem(KEY) ?? "{}"));
  } catch {
    /** Kept from us, or not ours: the defaults. */
  }
  const { wrap, theme } = Object.fromEntries(fragment());
  if (wrap) settings.isWrapped = wrap === "true";
  if (["light", "dark"].includes(theme)) settings.theme = theme;
  return settings;
}

/** @param {Settings} settings */
export function keepSettings(settings) {
  try {
    localStorage.setItem(KEY, JSON.stringify(settings));
  } catch {
    /** Then they last as long as the page. */
  }
}

/**
 * Changes the URL in place; empty values go.
 * @param {Record<string, string>} query
 * @param {Record<string, string>} hash
 */
export function writeUrl(query, hash) {
  const url = new URL(location.href);
  const inFragment = fragment();
  for (const [params, values] of /** @type {const} */ ([
    [url.searchParams, query],
    [inFragment, hash],
  ])) {
    for (const [key, value] of Object.entries(values))
      value ? params.set(key, value) : params.delete(key);
  }
  url.hash = inFragment.toString();
  if (url.href !== location.href) history.replaceState(null, "", url);
}
