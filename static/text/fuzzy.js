// @ts-check
// Fuzzy: how well a few typed letters fit a name.

/**
 * All letters have to be there in order. Whole words, beginnings and the last part of the name count more.
 * @param {string} query @param {string} name
 * @returns {{ score: number, places: number[] } | null}
 */
export function fuzzyMatch(query, name) {
  const wanted = query.toLowerCase().replace(/\s+/g, "");
  const text = name.toLowerCase();
  if (!wanted) return { score: 0, places: [] };
  const whole = text.lastIndexOf(wanted);
  const places = whole >= 0 ? Array.from(wanted, (_, i) => whole + i) : spread(wanted, text);
  if (!places) return null;
  const base = text.lastIndexOf("/") + 1;
  let score = whole >= 0 ? 40 : 0;
  places.forEach((place, i) => {
    const isStart = place === 0 || /[\W_]/.test(text[place - 1]);
    score += (isStart ? 8 : 0) + (place >= base ? 4 : 0) + (i && place === places[i - 1] + 1 ? 6 : 0);
  });
  return { score: score - name.length / 20 - (places[places.length - 1] - places[0]) / 10, places };
}

/** From the end, so that the file's name is met before its folders'. @param {string} wanted @param {string} text */
function spread(wanted, text) {
  /** @type {number[]} */ const places = [];
  let at = text.length;
  for (let i = wanted.length - 1; i >= 0; i--) {
    at = at > 0 ? text.lastIndexOf(wanted[i], at - 1) : -1;
    if (at < 0) return null;
    places.unshift(at);
  }
  return places;
}

/**
 * The best names first.
 * @template {{ name: string }} T
 * @param {string} query @param {Iterable<T>} items @param {number} limit
 * @returns {{ item: T, places: number[] }[]}
 */
export function fuzzyFind(query, items, limit) {
  const found = [];
  for (const item of items) {
    const match = fuzzyMatch(query, item.name);
    if (match) found.push({ item, ...match });
  }
  return found.sort((a, b) => b.score - a.score || (a.item.name < b.item.name ? -1 : 1)).slice(0, limit);
}
