// @ts-check
// Export: lines for elsewhere.

export const asText = (lines) => lines.map(({ text }) => `${text}\n`).join("");
export const asNdjson = (lines) =>
  lines.map((line) => `${JSON.stringify(line.toRecord())}\n`).join("");

/** @param {string} text */
export async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  // Without TLS there is only the old way.
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  const isDone = document.execCommand("copy");
  area.remove();
  if (!isDone) throw new Error("the browser does not let the page copy");
}

/** @param {string} href @param {string} name */
export const download = (href, name) =>
  Object.assign(document.createElement("a"), { href, download: name }).click();

/** @param {string} text @param {string} name */
export function downloadText(text, name) {
  const href = URL.createObjectURL(new Blob([text]));
  download(href, name);
  setTimeout(() => URL.revokeObjectURL(href), 60_000);
}
