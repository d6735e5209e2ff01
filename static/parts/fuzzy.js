// Fuzzy: how well a few typed letters fit a name.

/**
 * All letters in order; whole words, beginnings and the last part of the name count more.
 * @param {string} query
 * @param {string} name
 * @returns {number | null}
 */
export function fuzzyScore(query, name) {
  const wanted = query.toLowerCase().replace(/\s+/g, "");
  const text = name.toLowerCase();
  const whole = text.lastIndexOf(wanted);
  const base = text.lastIndexOf("/") + 1;
  let score = whole >= 0 ? 40 : 0;
  let at = whole >= 0 ? whole + wanted.length : text.length;
  // From the end, so that the file's name is met before its folders'.
  for (const letter of [...wanted].reverse()) {
    const before = at;
    at = at > 0 ? text.lastIndexOf(letter, at - 1) : -1;
    if (at < 0) return null;
    score +=
      (!at || /[\W_]/.test(text[at - 1]) ? 8 : 0) +
      (at >= base ? 4 : 0) +
      (at === before - 1 ? 6 : 0);
  }
  return score - name.length / 20;
}

/**
 * The best names first.
 * @param {string} query
 * @param {Iterable<string>} names
 * @param {number} limit
 */
export const fuzzyFind = (query, names, limit) =>
  [...names]
    .flatMap((name) => {
      const score = fuzzyScore(query, name);
      return score === null ? [] : [{ name, score }];
    })
    .sort((a, b) => b.score - a.score || (a.name < b.name ? -1 : 1))
    .slice(0, limit)
    .map(({ name }) => name);
