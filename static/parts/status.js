// Status: how the stream is, without flattery; in the bar, the title, the icon, and for screen
// readers.
import { $ } from "../list/dom.js";
import { ENDS } from "../model/health.js";
import { plural, size, span } from "../text/format.js";

const NEWS_MS = 6000;
const QUIET_MS = 60_000;
const BEHIND_BYTES = 65_536;
const ANNOUNCE_MS = 10_000;
/** @type {Record<string, string>} */
const COLOURS = { warn: "#b45309", bad: "#b91c1c" };
const CALM = "#0f766e";

/** @param {LogModel} model @returns {[string, string]} words, and their tone */
export function statusOf({ connection, health, isFollowing }) {
  const { kind, reason, retryAt } = connection.state;
  const { heartbeat, heartbeatAt, lastLineAt, news } = health;
  const now = Date.now();
  if (kind === "connecting") return ["connecting…", "warn"];
  if (kind === "waiting") {
    const seconds = Math.max(1, Math.ceil((retryAt - now) / 1000));
    return [`reconnecting in ${seconds} s: ${reason}`, "warn"];
  }
  if (kind === "ended") return [`ended: ${ENDS[reason] ?? reason}`, "bad"];
  if (news && now - news.at < NEWS_MS) return [news.text, news.isBad ? "warn" : "good"];
  const { behind = 0, modified } = (heartbeatAt > lastLineAt && heartbeat) || {};
  if (behind > BEHIND_BYTES) return [`behind by ${size(behind)}`, "warn"];
  if (!isFollowing) return ["paused", "calm"];
  const quiet = now - Date.parse(modified ?? "");
  return quiet > QUIET_MS ? [`quiet for ${span(quiet)}`, "calm"] : ["live", "good"];
}

/** @param {LogModel | undefined} model @param {number} unread @param {string} name */
export function showStatus(model, unread, name) {
  const [text, tone] = model ? statusOf(model) : ["", "calm"];
  if ($("state").textContent !== text) $("state").textContent = $("status").title = text;
  $("status").dataset.tone = tone;
  const isFallback = model?.connection.label === "SSE";
  $("way").textContent = isFallback ? "SSE" : "";
  $("way").title = isFallback ? "WebSocket refused: over server-sent events" : "";
  document.title = `${unread ? `(${unread}) ` : ""}${name ? `${name} · ` : ""}Tailcast`;
  drawIcon(unread > 99 ? "99+" : String(unread || ""), tone);
}

/**
 * Sums up for screen readers what has come, now and then.
 * @param {() => LogModel | undefined} model
 */
export function announce(model) {
  let told = { lines: 0, errors: 0, state: "" };
  setInterval(() => {
    const present = model();
    if (!present) return;
    const { nLines: lines, nErrors: errors } = present.health;
    const state = statusOf(present)[0].replace(/ (?:in|for) \d+ \w+/, "");
    const words = [
      lines > told.lines && plural(lines - told.lines, "new line"),
      errors > told.errors && plural(errors - told.errors, "error"),
      state !== told.state && state,
    ].filter(Boolean);
    told = { lines, errors, state };
    if (words.length) $("live").textContent = words.join(", ");
  }, ANNOUNCE_MS);
}

let drawn = "";

/** The tab's icon, with a count of what is new. @param {string} text @param {string} tone */
function drawIcon(text, tone) {
  if (drawn === text + tone) return;
  drawn = text + tone;
  const link = document.querySelector("link[rel=icon]");
  const icon =
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">' +
    `<rect width="32" height="32" rx="7" fill="${COLOURS[tone] ?? CALM}"/>` +
    '<path d="M8 10l6 6-6 6M16 22h8" fill="none" stroke="#fff" stroke-width="3"/>' +
    `${text && badge(text)}</svg>`;
  link?.setAttribute("href", `data:image/svg+xml,${encodeURIComponent(icon)}`);
}

/** @param {string} text */
const badge = (text) =>
  '<rect x="7" y="11" width="25" height="21" rx="6" fill="#dc2626"/>' +
  '<text x="19.5" y="27.5" font-family="sans-serif" font-weight="700" text-anchor="middle"' +
  ` font-size="${text.length > 2 ? 12 : 16}" fill="#fff">${text}</text>`;
