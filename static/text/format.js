// Times, sizes and spans as people read them.

/**
 * A moment in ms since 1970, finer than a ms where it was told; NaN for none.
 * @param {string | undefined} time RFC 3339
 */
export function moment(time) {
  if (!time) return NaN;
  const finer = /\.\d{3}(\d+)/.exec(time);
  return Date.parse(time) + (finer ? Number(`0.${finer[1]}`) : 0);
}

/**
 * The clock, and the day where it is not today's.
 * @param {number} ms
 * @param {TimeMode} mode
 * @param {number} now
 */
export function formatTime(ms, mode, now) {
  if (mode === "relative") return `${span(Math.max(0, now - ms))} ago`;
  /** A date whose UTC fields are those of the zone. @param {number} at */
  const shifted = (at) =>
    new Date(at - (mode === "utc" ? 0 : new Date(at).getTimezoneOffset() * 60_000)).toISOString();
  const [day, clock] = shifted(ms).slice(0, 23).split("T");
  const today = shifted(now).slice(0, 10);
  return day === today
    ? clock
    : `${day.slice(day.slice(0, 4) === today.slice(0, 4) ? 5 : 0)} ${clock}`;
}

/** `4.2 MB`, in powers of 1000. @param {number} bytes */
export function size(bytes) {
  let unit = 0;
  for (; bytes >= 999.5 && unit < 4; unit++) bytes /= 1000;
  const amount = unit && bytes < 10 ? bytes.toFixed(1) : Math.round(bytes);
  return `${amount} ${["B", "kB", "MB", "GB", "TB"][unit]}`;
}

/** `4 min`. @param {number} ms */
export function span(ms) {
  const s = Math.floor(ms / 1000);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  return s < 172_800 ? `${Math.floor(s / 3600)} h` : `${Math.floor(s / 86_400)} days`;
}

/** `1 line`, `12,345 lines`. @param {number} n @param {string} word */
export const plural = (n, word) => `${n.toLocaleString("en-US")} ${word}${n === 1 ? "" : "s"}`;
