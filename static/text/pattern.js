// Patterns as the server reads them, for highlighting here.

/**
 * Smart case: a pattern in lower case matches any case; escapes do not count.
 * @param {string} pattern
 */
const isAnyCase = (pattern) => {
  const letters = pattern.replace(/\\(?:[pP]\{[^}]*\}|x\{[^}]*\}|[xuU][\da-fA-F]+|.)/g, "");
  return letters === letters.toLowerCase();
};

/**
 * The pattern as a browser's; none where it is empty, or only the server understands it.
 * @param {string} pattern
 */
export function toRegExp(pattern) {
  if (!pattern) return null;
  const source = pattern.replace(/^\(\?i\)/, "");
  const flags = source !== pattern || isAnyCase(pattern) ? "gi" : "g";
  for (const mode of [`${flags}u`, flags]) {
    try {
      return new RegExp(source, mode);
    } catch {
      // The next reading; what is wrong for the server, it tells.
    }
  }
  return null;
}
