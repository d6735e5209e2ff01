// @ts-check
// ANSI: colours and weights (SGR) become styles. Every other escape sequence is left in the text, where
// it is made visible: one that hides or overwrites must not do so here.

/**
 * @typedef {object} Style
 * @property {string} classes names of CSS classes: bold, f1, …
 * @property {string} fg `#rrggbb`, or empty
 * @property {string} bg `#rrggbb`, or empty
 *
 * @typedef {{ start: number, end: number, style: Style }} Run
 */

const SGR = /\u001b\[([\d;:]*)m/g;
const WEIGHTS = ["bold", "dim", "italic", "underline", "strike"];
/** @type {Record<number, number>} */
const WEIGHT_OF = { 1: 0, 2: 1, 3: 2, 4: 3, 9: 4 };
/** The first 16 colours as xterm has them, where a class of the theme cannot stand for them. */
const BASE = "000000cd000000cd00cdcd000000eecd00cd00cdcde5e5e57f7f7fff000000ff00ffff005c5cffff00ff00ffffffffff";

/** @param {number} n */
const hex = (n) => Math.max(0, Math.min(255, n | 0)).toString(16).padStart(2, "0");

/** The colour of one of the 256 numbers. @param {number} n */
export function indexed(n) {
  if (n < 16) return `#${BASE.slice(n * 6, n * 6 + 6)}`;
  if (n > 231) return `#${hex(8 + (n - 232) * 10).repeat(3)}`;
  const level = (/** @type {number} */ part) => hex(part && part * 40 + 55);
  return `#${level(Math.floor((n - 16) / 36))}${level(Math.floor((n - 16) / 6) % 6)}${level((n - 16) % 6)}`;
}

/** How light a colour looks, from 0 to 1 (WCAG). @param {string} color */
export function luminance(color) {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const part = parseInt(color.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/** @param {string} a @param {string} b */
export function contrast(a, b) {
  const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (high + 0.05) / (low + 0.05);
}

class Pen {
  constructor() {
    /** @type {Set<number>} */ this.weights = new Set();
    /** @type {number | string} */ this.fg = "";
    /** @type {number | string} */ this.bg = "";
    this.isInverse = false;
  }

  /** @param {number[]} codes */
  take(codes) {
    for (let i = 0; i < codes.length; i++) {
      const code = codes[i];
      if (code === 38 || code === 48) {
        const [color, used] = extended(codes, i + 1);
        if (color !== null) this[code === 38 ? "fg" : "bg"] = color;
        i += used;
      } else this.#takeOne(code);
    }
  }

  /** @param {number} code */
  #takeOne(code) {
    if (code === 0) Object.assign(this, new Pen());
    else if (code in WEIGHT_OF) this.weights.add(WEIGHT_OF[code]);
    else if (code === 7 || code === 27) this.isInverse = code === 7;
    else if (code === 22) { this.weights.delete(0); this.weights.delete(1); }
    else if (code > 22 && code < 30) this.weights.delete(WEIGHT_OF[code - 20] ?? -1);
    else if (code === 39) this.fg = "";
    else if (code === 49) this.bg = "";
    else if (code >= 30 && code < 38) this.fg = code - 30;
    else if (code >= 40 && code < 48) this.bg = code - 40;
    else if (code >= 90 && code < 98) this.fg = code - 82;
    else if (code >= 100 && code < 108) this.bg = code - 92;
  }

  /** What is to be seen; nothing where it is plain. @returns {Style | null} */
  style() {
    const classes = [...this.weights].map((weight) => WEIGHTS[weight]);
    let { fg, bg } = this;
    if (this.isInverse) [fg, bg] = [bg, fg];
    if (this.isInverse && fg === "" && bg === "") classes.push("inverse");
    else if (bg === "" && typeof fg === "number" && fg < 16) {
      if (this.isInverse) classes.push("inverse");
      classes.push(`f${fg}`);
      fg = "";
    }
    const color = (/** @type {number | string} */ c) => (typeof c === "number" ? indexed(c) : c);
    const back = color(bg);
    let front = color(fg);
    // Text in the colour of its ground would be hidden.
    if (back && (!front || contrast(front, back) < 1.5)) front = luminance(back) > 0.18 ? "#000000" : "#ffffff";
    if (front && !back) classes.push("tinted");
    return classes.length || front || back ? { classes: classes.join(" "), fg: front, bg: back } : null;
  }
}

/** `38;5;n` or `38;2;r;g;b`: the colour, and how many codes it took. @param {number[]} codes @param {number} at @returns {[number | string | null, number]} */
function extended(codes, at) {
  if (codes[at] === 5) return [Math.min(255, codes[at + 1] ?? 0), 2];
  if (codes[at] === 2) return [`#${hex(codes[at + 1])}${hex(codes[at + 2])}${hex(codes[at + 3])}`, 4];
  return [null, 1];
}

/** With colons, as ISO 8613-6 has it: the colour space may be left empty. @param {string} parameter */
function colonCodes(parameter) {
  const parts = parameter.split(":");
  if (parts.length === 6 && parts[1] === "2") parts.splice(2, 1);
  return parts.map(Number);
}

/**
 * Takes the colours out of a text.
 * @param {string} text
 * @returns {{ text: string, runs: Run[] }} the text without SGR, and the styled parts of it
 */
export function parseAnsi(text) {
  if (!text.includes("\u001b[")) return { text, runs: [] };
  const pen = new Pen();
  /** @type {Run[]} */ const runs = [];
  let plain = "";
  let at = 0;
  let begin = 0;
  const close = () => {
    const style = plain.length > begin ? pen.style() : null;
    if (style) runs.push({ start: begin, end: plain.length, style });
    begin = plain.length;
  };
  for (const match of text.matchAll(SGR)) {
    plain += text.slice(at, match.index);
    at = match.index + match[0].length;
    close();
    pen.take(match[1].split(";").flatMap((part) => (part.includes(":") ? colonCodes(part) : [Number(part)])));
  }
  plain += text.slice(at);
  close();
  return { text: plain, runs };
}
