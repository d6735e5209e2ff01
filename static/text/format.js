// @ts-check
// Times, sizes and spans as people read them.

/** @typedef {"local" | "utc" | "relative" | "written"} TimeMode */

const pad = (/** @type {number} */ n, width = 2) => String(n).padStart(width, "0");

/** A moment in ms since 1970, finer than a ms where it was told; NaN for none. @param {string | undefined} time RFC 3339 */
export function moment(time) {
  if (!time) return NaN;
  const fraction = /\.(\d{3})(\d+)/.exec(time);
  return Date.parse(time) + (fraction ? Number(`0.${fraction[2]}`) : 0);
}

/** @param {number} ms @param {TimeMode} mode @param {number} now */
export function formatTime(ms, mode, now) {
  if (mode === "relative") return `${span(Math.max(0, now - ms))} ago`;
  const date = new Date(ms);
  const isUtc = mode === "utc";
  const [y, mo, d, h, mi, s] = isUtc
    ? [date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate(), date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()]
    : [date.getFullYear(), date.getMonth(), date.getDate(), date.getHours(), date.getMinutes(), date.getSeconds()];
  const clock = `${pad(h)}:${pad(mi)}:${pad(s)}.${pad(date.getMilliseconds(), 3)}`;
  const today = new Date(now);
  const isToday = isUtc ? now - ms < 864e5 && today.getUTCDate() === d : today.toDateString() === date.toDateString();
  if (isToday) return clock;
  const day = `${pad(mo + 1)}-${pad(d)}`;
  return `${today.getFullYear() === y ? day : `${y}-${day}`} ${clock}`;
}

/** `4.2 MB`, in powers of 1000. @param {number} bytes */
export function size(bytes) {
  let unit = 0;
  for (; bytes >= 999.5 && unit < 4; unit++) bytes /= 1000;
  return `${unit && bytes < 10 ? bytes.toFixed(1) : Math.round(bytes)} ${["B", "kB", "MB", "GB", "TB"][unit]}`;
}

/** `4 min`. @param {number} ms */
export function span(ms) {
  const seconds = Math.floor(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} days`;
}

/** `12,345`. @param {number} n */
export const count = (n) => n.toLocaleString("en-US");

/** `1 line`, `12 lines`. @param {number} n @param {string} word */
export const plural = (n, word) => `${count(n)} ${word}${n === 1 ? "" : "s"}`;
