// @ts-check
// Settings: kept per browser. Wrap and theme also stand in the fragment, where they differ.

const KEY = "tailcast";
/** @type {Settings} */
const DEFAULTS = { theme: "system", isWrapped: false, time: "local", isLarge: false };

/** @returns {Settings} */
export function readSettings() {
	const settings = { ...DEFAULTS };
	try {
		Object.assign(settings, JSON.parse(localStorage.getItem(KEY) ?? "{}"));
	} catch { /* Kept from us, or not ours: the defaults. */ }
	const hash = fragment();
	if (hash.has("wrap")) settings.isWrapped = hash.get("wrap") === "true";
	const theme = hash.get("theme");
	if (theme === "dark" || theme === "light") settings.theme = theme;
	return settings;
}

/** @param {Settings} settings */
export function keepSettings(settings) {
	try {
		localStorage.setItem(KEY, JSON.stringify(settings));
	} catch { /* Then they last as long as the page. */ }
}

export const fragment = () => new URLSearchParams(location.hash.slice(1));

/** Changes the URL in place. @param {Record<string, string>} query @param {Record<string, string>} hash empty values go */
export function writeUrl(query, hash) {
	const url = new URL(location.href);
	const inFragment = fragment();
	const put = (params, values) => {
		for (const [key, value] of Object.entries(values)) value ? params.set(key, value) : params.delete(key);
	};
	put(url.searchParams, query);
	put(inFragment, hash);
	url.hash = inFragment.toString();
	if (url.href !== location.href) history.replaceState(history.state, "", url);
}
