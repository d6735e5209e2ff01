// What the browser tests share: the real server on a free port, logs that are written to, a page.
import { spawn } from "node:child_process";
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const HERE = dirname(fileURLToPath(import.meta.url));
export const PROGRAM =
  process.env.TAILCAST_PROGRAM ??
  join(process.env.CARGO_TARGET_DIR ?? join(HERE, "../../target"), "debug/tailcast");
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";

/** Waits until a condition holds. */
export async function until(what, condition, ms = 30_000) {
  const end = Date.now() + ms;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error(`not within ${ms} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
}

/** A port that was free a moment ago. */
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** A folder of logs. */
export class Logs {
  folder = mkdtempSync(join(tmpdir(), "tailcast-browser-"));

  path = (name) => join(this.folder, name);

  write(name, text) {
    mkdirSync(dirname(this.path(name)), { recursive: true });
    writeFileSync(this.path(name), text);
  }

  append(name, text) {
    appendFileSync(this.path(name), text);
  }

  remove() {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Lines `first` to `last`, numbered. */
export const numbered = (first, last, text = (n) => `line ${n}`) =>
  Array.from({ length: last - first + 1 }, (_, i) => `${text(first + i)}\n`).join("");

/** The real program. */
export class Server {
  #child = null;

  constructor(arguments_, port) {
    this.arguments = arguments_;
    this.port = port;
    this.url = `http://127.0.0.1:${port}/`;
  }

  static async start(arguments_) {
    if (!existsSync(PROGRAM))
      throw new Error(`the program is missing: ${PROGRAM}; build it with cargo build`);
    const server = new Server(arguments_, await freePort());
    await server.start();
    return server;
  }

  async start() {
    const child = spawn(PROGRAM, ["serve", "-p", String(this.port), ...this.arguments], {
      stdio: ["ignore", "pipe", "pipe"],
      cwd: tmpdir(),
    });
    this.#child = child;
    let said = "";
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (data) => (said = (said + data).slice(-4000)));
    await until("the server answers", async () => {
      if (child.exitCode !== null) throw new Error(`the server has ended: ${said}`);
      return fetch(`${this.url}readyz`).then(
        (answer) => answer.ok,
        () => false,
      );
    });
  }

  /** As the power goes. */
  kill() {
    return this.#end("SIGKILL");
  }

  stop() {
    return this.#end("SIGTERM");
  }

  #end(signal) {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return undefined;
    return new Promise((resolve) => {
      child.once("exit", resolve);
      child.kill(signal);
    });
  }
}

let browser = null;

/** One browser for all tests of a file. */
export async function theBrowser() {
  if (!existsSync(CHROMIUM))
    throw new Error(`Chromium is missing: ${CHROMIUM}; install Debian's package chromium`);
  browser ??= await chromium.launch({
    executablePath: CHROMIUM,
    args: ["--disable-dev-shm-usage", ...(process.getuid?.() === 0 ? ["--no-sandbox"] : [])],
  });
  return browser;
}

export async function closeBrowser() {
  await browser?.close();
  browser = null;
}

/** A page of its own; what it complains of is gathered in `complaints`. */
export async function openPage(url, options = {}, prepare = () => {}) {
  const context = await (
    await theBrowser()
  ).newContext({ viewport: { width: 1280, height: 800 }, ...options });
  const page = await context.newPage();
  page.complaints = [];
  page.on("pageerror", (error) => page.complaints.push(String(error.stack)));
  page.on("console", (message) => {
    const isOurs =
      message.type() === "error" &&
      !/WebSocket connection|Failed to load resource|net::ERR/.test(message.text());
    if (isOurs) page.complaints.push(message.text());
  });
  await prepare(page);
  await page.goto(url);
  return page;
}

/** The texts of the rows that are elements just now. */
export const rowTexts = (page, pane = "tailcast-log") =>
  page.locator(`${pane} .row .text`).allTextContents();

export const statusText = (page) => page.locator("#state").textContent();

/** What a pane knows and does not show. */
export const modelOf = (page, at = 0) =>
  page.evaluate((at) => {
    const { model, list } = document.querySelectorAll("tailcast-log")[at];
    const { store, connection } = model;
    return {
      n: store.lines.length,
      first: store.lines[0]?.text,
      last: store.lines.at(-1)?.text,
      isAtBegin: model.backfill.isAtBegin,
      isFollowing: model.isFollowing,
      isDetached: model.isDetached,
      unread: model.unread,
      label: connection.label,
      state: connection.state.kind,
      nRows: list.rows.size,
    };
  }, at);

/** Waits until the last row says this. */
export const untilLast = (page, text, pane) =>
  until(`the last line is ${text}`, async () => (await rowTexts(page, pane)).at(-1) === text);

/** Waits until the page has come to the end of the log that its URL names; where that is not one whole log, until it has lines. */
export async function untilAtEnd(page) {
  await until("lines are there", async () => (await modelOf(page)).n > 0);
  const url = new URL(page.url());
  const isPart = ["from", "since", "until", "tail", "follow"].some((name) =>
    url.searchParams.has(name),
  );
  if (isPart || /[*?[{]/.test(decodeURIComponent(url.pathname))) return;
  url.searchParams.set("tail", "1");
  url.searchParams.set("follow", "false");
  const last = (await (await fetch(url)).text()).trimEnd().split("\n").at(-1);
  await until(
    `the last line is ${last}`,
    async () => (await modelOf(page)).last?.trimEnd() === last,
  );
}

/** All lines of the window, with notes or without. */
export const linesOf = (page, at = 0) =>
  page.evaluate(
    (at) =>
      document
        .querySelectorAll("tailcast-log")
        [at].model.store.lines.filter((line) => line.note === undefined)
        .map((line) => line.text),
    at,
  );

/** The rows that can be seen, with their distance from the top. */
export const visibleRows = (page, at = 0) =>
  page.evaluate((at) => {
    const scroller = document.querySelectorAll("tailcast-log .scroller")[at];
    const { top, bottom } = scroller.getBoundingClientRect();
    return [...scroller.querySelectorAll(".row")]
      .map((row) => ({
        text: row.querySelector(".text").textContent,
        box: row.getBoundingClientRect(),
      }))
      .filter(({ box }) => box.bottom > top + 1 && box.top < bottom - 1)
      .map(({ text, box }) => ({ text, top: Math.round(box.top - top) }));
  }, at);
