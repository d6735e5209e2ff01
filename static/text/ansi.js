// ANSI: colours and weights (SGR) become styles. Every other escape sequence stays in the text,
// where it is made visible: one that hides or overwrites must not do so here.

/** @typedef {{ start: number, end: number, style: Style }} Run */

const SGR = /\u001b\[([\d;:]*)m/g;
/** @type {Record<number, string>} */
const WEIGHTS = { 1: "bold", 2: "faint", 3: "italic", 4: "underline", 9: "strike" };
/** The first 16 colours as xterm has them, where a class of the theme cannot stand for them. */
const BASE =
  "000000cd000000cd00cdcd000000eecd00cd00cdcde5e5e5" +
  "7f7f7fff000000ff00ffff005c5cffff00ff00ffffffffff";

/** @param {number[]} parts */
const hex = (...parts) =>
  `#${parts
    .map((n) =>
      Math.max(0, Math.min(255, n | 0))
        .toString(16)
        .padStart(2, "0"),
    )
    .join("")}`;

/** The colour of one of the 256 numbers. @param {number} n */
export function indexed(n) {
  if (n < 16) return `#${BASE.slice(n * 6, n * 6 + 6)}`;
  if (n > 231) return hex(...Array(3).fill(8 + (n - 232) * 10));
  return hex(
    ...[36, 6, 1]
      .map((step) => Math.floor((n - 16) / step) % 6)
      .map((part) => part && part * 40 + 55),
  );
}

/** How light a colour looks, from 0 to 1 (WCAG). @param {string} color */
function luminance(color) {
  const [r, g, b] = [1, 3, 5].map((at) => (parseInt(color.slice(at, at + 2), 16) / 255) ** 2.2);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

class Pen {
  /** @type {Set<number>} */ weights = new Set();
  /** One of the 256 numbers, `#rrggbb`, or empty. @type {number | string} */ fg = "";
  /** @type {number | string} */ bg = "";
  isInverse = false;

  /** @param {number[]} codes */
  take(codes) {
    for (let i = 0; i < codes.length; i++) {
      const code = codes[i];
      const side = code < 40 || (code >= 90 && code < 100) ? "fg" : "bg";
      if (code === 38 || code === 48) {
        const [, way, a, b, c] = codes.slice(i);
        if (way === 5) this[side] = Math.min(255, a ?? 0);
        else if (way === 2) this[side] = hex(a, b, c);
        i += way === 5 ? 2 : way === 2 ? 4 : 1;
      } else if (!code) Object.assign(this, new Pen());
      else if (WEIGHTS[code]) this.weights.add(code);
      else if (code === 7 || code === 27) this.isInverse = code === 7;
      else if (code > 21 && code < 30)
        [code === 22 ? 1 : code - 20, code - 20].forEach((weight) => this.weights.delete(weight));
      else if (code === 39 || code === 49) this[side] = "";
      else if (code >= 30 && code < 50) this[side] = code % 10;
      else if (code >= 90 && code < 108) this[side] = (code % 10) + 8;
    }
  }

  /** What is to be seen; nothing where it is plain. @returns {Style | null} */
  style() {
    const classes = [...this.weights].map((weight) => WEIGHTS[weight]);
    const [fg, bg] = this.isInverse ? [this.bg, this.fg] : [this.fg, this.bg];
    if (this.isInverse && bg === "") classes.push("inverse");
    if (bg === "" && typeof fg === "number" && fg < 16)
      return { classes: [...classes, `f${fg}`].join(" "), fg: "", bg: "" };
    const [front, back] = [fg, bg].map((color) =>
      typeof color === "number" ? indexed(color) : color,
    );
    if (front && !back) classes.push("tinted");
    // Text in the colour of its ground would be hidden.
    const isHidden = back && (!front || Math.abs(luminance(front) - luminance(back)) < 0.1);
    const seen = isHidden ? (luminance(back) > 0.18 ? "#000000" : "#ffffff") : front;
    return classes.length || seen ? { classes: classes.join(" "), fg: seen, bg: back } : null;
  }
}

/**
 * Takes the colours out of a text.
 * @param {string} text
 * @returns {{ text: string, runs: Run[] }} the text without SGR, and its styled parts
 */
export function parseAnsi(text) {
  const pen = new Pen();
  /** @type {Run[]} */ const runs = [];
  let plain = "";
  let at = 0;
  for (const match of [...text.matchAll(SGR), null]) {
    const start = plain.length;
    plain += text.slice(at, match?.index);
    const style = plain.length > start && pen.style();
    if (style) runs.push({ start, end: plain.length, style });
    if (!match) break;
    at = match.index + match[0].length;
    // With colons, as ISO 8613-6 has it, the colour space may be left empty.
    pen.take(
      match[1]
        .replace(/([34]8:2):\d*(?=(?::\d+){3})/g, "$1")
        .split(/[;:]/)
        .map(Number),
    );
  }
  return { text: plain, runs };
}
