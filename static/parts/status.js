// @ts-check
// Status: how the stream is, without flattery; in the bar, the title, the icon, and for screen readers.
import { byId } from "../list/dom.js";
import { plural, size, span } from "../text/format.js";

const NEWS_MS = 6000;
const QUIET_MS = 60_000;
const BEHIND_BYTES = 65_536;
const ANNOUNCE_MS = 10_000;

/** @param {LogModel} model @param {number} now @returns {[string, string]} words, and their tone */
export function statusOf(model, now) {
	const { connection: { state }, heartbeat, news, isFollowing, lastLineAt } = model;
	if (state.kind === "connecting") return [state.reason ? `reconnecting: ${state.reason}` : "connecting…", "warn"];
	if (state.kind === "waiting") {
		return [`reconnecting in ${Math.max(1, Math.ceil((state.retryAt - now) / 1000))} s: ${state.reason}`, "warn"];
	}
	if (state.kind === "ended") return [`ended: ${{ eof: "no more lines", until: "the time is over", revoked: "no longer readable" }[state.reason] ?? state.reason}`, "bad"];
	if (news && now - news.at < NEWS_MS) return [news.text, news.isBad ? "warn" : "good"];
	const behind = heartbeat?.behind ?? 0;
	if (behind > BEHIND_BYTES && now - model.heartbeatAt < 30_000) return [`behind by ${size(behind)}`, "warn"];
	if (!isFollowing) return ["paused", "calm"];
	const last = Math.max(lastLineAt, Date.parse(heartbeat?.modified ?? "") || 0);
	if (model.isQuiet && last && now - last > QUIET_MS) return [`quiet for ${span(now - last)}`, "calm"];
	return ["live", "good"];
}

/** @param {LogModel | undefined} model @param {number} unread @param {string} name */
export function showStatus(model, unread, name) {
	const [text, tone] = model ? statusOf(model, Date.now()) : ["", "calm"];
	const state = byId("state", HTMLElement);
	if (state.textContent !== text) state.textContent = state.title = text;
	byId("status", HTMLElement).dataset.tone = tone;
	const isFallback = model?.connection.label === "SSE";
	const way = byId("way", HTMLElement);
	way.textContent = isFallback ? "SSE" : "";
	way.title = isFallback ? "the WebSocket was refused: over server-sent events" : "";
	document.title = `${unread ? `(${unread}) ` : ""}${name || "Tailcast"}${name ? " · Tailcast" : ""}`;
	drawIcon(unread, tone);
}

let drawn = "";

/** @param {number} unread @param {string} tone */
function drawIcon(unread, tone) {
	const text = unread > 99 ? "99+" : unread ? String(unread) : "";
	if (drawn === text + tone) return;
	drawn = text + tone;
	const canvas = Object.assign(document.createElement("canvas"), { width: 64, height: 64 });
	const pen = canvas.getContext("2d");
	if (!pen) return;
	const box = (x, y, w, h, r, color) => {
		pen.fillStyle = color;
		pen.beginPath();
		pen.roundRect(x, y, w, h, r);
		pen.fill();
	};
	box(0, 0, 64, 64, 14, { good: "#0f766e", calm: "#0f766e", warn: "#b45309" }[tone] ?? "#b91c1c");
	pen.strokeStyle = pen.fillStyle = "#fff";
	pen.lineWidth = 6;
	pen.stroke(new Path2D("M16 20l12 12-12 12M32 44h16"));
	if (text) {
		box(14, 24, 50, 40, 12, "#dc2626");
		pen.fillStyle = "#fff";
		pen.font = `bold ${text.length > 2 ? 24 : 32}px sans-serif`;
		pen.textAlign = "center";
		pen.fillText(text, 39, 56);
	}
	const link = document.querySelector("link[rel=icon]");
	if (link instanceof HTMLLinkElement) link.href = canvas.toDataURL();
}

/** Sums up for screen readers what has come, now and then. */
export class Announcer {
	#told = { lines: 0, errors: 0, state: "" };

	/** @param {() => LogModel | undefined} model */
	constructor(model) {
		setInterval(() => {
			const present = model();
			if (!present) return;
			const { nLines: lines, nErrors: errors } = present;
			const state = statusOf(present, Date.now())[0].replace(/ in \d+ s/, "");
			const words = [];
			if (lines > this.#told.lines) words.push(plural(lines - this.#told.lines, "new line"));
			if (errors > this.#told.errors) words.push(plural(errors - this.#told.errors, "error"));
			if (state !== this.#told.state) words.push(state);
			this.#told = { lines, errors, state };
			if (words.length) byId("live", HTMLElement).textContent = words.join(", ");
		}, ANNOUNCE_MS);
	}
}
