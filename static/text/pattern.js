// @ts-check
// Patterns as the server reads them, for highlighting here.

/** Smart case: a pattern in lower case matches any case; escapes do not count. @param {string} pattern */
export const isAnyCase = (pattern) => {
  const letters = pattern.replace(/\\(?:[pP]\{[^}]*\}|x\{[^}]*\}|[xuU][\da-fA-F]+|.)/g, "");
  return letters === letters.toLowerCase();
};

/** The pattern as a browser's; none where it is empty, or only the server understands it. @param {string} pattern */
export function toRegExp(pattern) {
  if (!pattern) return null;
  const flags = isAnyCase(pattern) ? "giu" : "gu";
  for (const [source, mode] of [[pattern.replace(/^\(\?i\)/, ""), pattern.startsWith("(?i)") ? "giu" : flags], [pattern, flags.replace("u", "")]]) {
    try {
      return new RegExp(source, mode);
    } catch {
      // The next reading; the server tells of what is wrong for both.
    }
  }
  return null;
}
