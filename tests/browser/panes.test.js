// Several logs, links to lines, marks, what is taken away, settings.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import {
  closeBrowser,
  linesOf,
  Logs,
  modelOf,
  numbered,
  openPage,
  rowTexts,
  Server,
  until,
  untilAtEnd,
  untilLast,
  visibleRows,
} from "./support.js";

const START = Date.UTC(2026, 10, 20, 10, 0, 0);
const stamp = (n) => new Date(START + n * 1000).toISOString();
const logs = new Logs();
let server;

before(async () => {
  logs.write(
    "web.log",
    numbered(1, 2000, (n) => `${stamp(n * 2)} web ${n}`),
  );
  logs.write(
    "api/db.log",
    numbered(1, 1500, (n) => `${stamp(n * 3)} db ${n}${n % 5 ? "" : "\n\tat a trace"}`),
  );
  logs.write("odd {name},[x].log", "odd 1\n");
  server = await Server.start([logs.folder]);
});
after(async () => {
  await closeBrowser();
  await server.stop();
  logs.remove();
});

const open = async (path, options) => {
  const page = await openPage(server.url + path, options);
  await untilAtEnd(page);
  return page;
};
const timeOf = (text) => Date.parse(text.slice(0, 24));

test("logs are merged by time, also the old ones and the live ones", async () => {
  const page = await open("logs/web.log");
  await until("the list is there", async () => (await page.locator("#list a").count()) === 3);
  await page.locator('#list a[title="api/db.log"]').hover();
  await page.locator('[aria-label="Merge by time: api/db.log"]').click();
  await until("both are there", async () =>
    (await linesOf(page)).some((text) => text.includes(" db ")),
  );
  assert.match(decodeURIComponent(page.url()), /logs\/\{web\.log,api\/db\.log\}/);
  assert.deepEqual(
    [...new Set(await page.locator(".row .source").allTextContents())],
    ["api/db.log"],
    "the last ones are all of one",
  );
  await page.keyboard.press("Home");
  await until("the first lines of both", async () =>
    (await visibleRows(page))[0]?.text.includes("web 1"),
  );
  await page.keyboard.press("End");
  await until("it follows", async () => (await modelOf(page)).isFollowing);
  await page.locator(".scroller").hover();
  await page.mouse.wheel(0, -300);
  for (let i = 0; i < 60 && !(await modelOf(page)).isAtBegin; i++) {
    await page.evaluate(() => (document.querySelector(".scroller").scrollTop = 0));
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const lines = await linesOf(page);
  assert.equal(lines.length, 2000 + 1500 + 300);
  const times = lines.filter((text) => !text.startsWith("\t")).map(timeOf);
  assert.deepEqual(
    times,
    times.toSorted((a, b) => a - b),
  );
  for (const [name, n] of [
    ["web", 2000],
    ["db", 1500],
  ]) {
    assert.deepEqual(
      lines.filter((text) => text.includes(` ${name} `)).map((text) => Number(text.split(" ")[2])),
      Array.from({ length: n }, (_, i) => i + 1),
    );
  }
  for (const [i, text] of lines.entries())
    if (text.startsWith("\t")) assert.match(lines[i - 1], / db \d*[05]$/);
  await page.keyboard.press("End");
  logs.append("web.log", `${stamp(9001)} web live\n`);
  logs.append("api/db.log", `${stamp(9002)} db live\n`);
  await untilLast(page, `${stamp(9002)} db live`);
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

test("a merged view resumes in each log where it was", async () => {
  const page = await open("logs/{web.log,api/db.log}");
  const before = 2 * 500;
  await until("all are there", async () => (await linesOf(page)).length === before);
  await server.kill();
  logs.append("web.log", `${stamp(9003)} web away\n`);
  logs.append("api/db.log", `${stamp(9004)} db away\n`);
  await server.start();
  await untilLast(page, `${stamp(9004)} db away`);
  const lines = await linesOf(page);
  assert.equal(lines.length, before + 2);
  assert.equal(
    new Set(lines.filter((text) => !text.startsWith("\t"))).size,
    lines.filter((text) => !text.startsWith("\t")).length,
  );
  await page.context().close();
});

test("panes stand side by side, in the fragment, and each has its own end", async () => {
  const page = await open("logs/web.log");
  await page.keyboard.press("Control+k");
  await page.keyboard.type("db");
  await page.keyboard.press("Shift+Enter");
  await until("there are two", async () => (await page.locator("tailcast-log").count()) === 2);
  assert.equal(new URLSearchParams(new URL(page.url()).hash.slice(1)).get("panes"), "api/db.log");
  await until("the second has lines", async () => (await modelOf(page, 1)).n > 0);
  await page.reload();
  await until(
    "both are back",
    async () =>
      (await page.locator("tailcast-log").count()) === 2 && (await modelOf(page, 1)).n > 0,
  );
  await page.keyboard.press("l");
  await page.keyboard.press("Space");
  const [first, second] = [await modelOf(page, 0), await modelOf(page, 1)];
  assert.notEqual(first.isFollowing, second.isFollowing);
  await page.locator("tailcast-log header button").nth(1).click();
  await until("one is left", async () => (await page.locator("tailcast-log").count()) === 1);
  assert.equal(new URL(page.url()).hash, "");
  await page.context().close();
});

test("a link opens at its line, with what is around it", async () => {
  const page = await open("logs/web.log", { permissions: ["clipboard-read", "clipboard-write"] });
  await page.keyboard.press("Home");
  await until("the start", async () => (await visibleRows(page))[0]?.text.endsWith("web 1"));
  await until("the line is there", async () => (await modelOf(page)).n > 1000);
  await page.evaluate(() => (document.querySelector(".scroller").scrollTop = 20 * 800));
  const row = page.locator(".row", { hasText: /web 805$/ });
  await row.click({ position: { x: 300, y: 10 } });
  await page.keyboard.press("y");
  await until(
    "it is copied",
    async () => (await page.locator("#toast").textContent()) === "link copied",
  );
  const link = await page.evaluate(() => navigator.clipboard.readText());
  const url = new URL(link);
  assert.ok(url.searchParams.get("from"));
  const lines = (
    await (await fetch(`${url.origin}${url.pathname}${url.search}&follow=false`)).text()
  ).split("\n");
  assert.match(lines[0], /web 805$/, "for curl it begins with the line");
  const other = await openPage(link);
  await until("the line is selected", async () =>
    /web 805$/.test(
      await other
        .locator(".row.selected .text")
        .textContent()
        .catch(() => ""),
    ),
  );
  await until("what is around it is there", async () => {
    const seen = (await visibleRows(other)).map(({ text }) => text.split(" ").at(-1));
    return seen.includes("804") && seen.includes("806");
  });
  await other.context().close();
  await page.context().close();
});

test("marks are kept in the URL, walked and copied", async () => {
  const page = await open("logs/web.log", { permissions: ["clipboard-read", "clipboard-write"] });
  await page.keyboard.press("k");
  await page.keyboard.press("m");
  for (let i = 0; i < 4; i++) await page.keyboard.press("k");
  await page.keyboard.press("m");
  assert.equal(await page.locator(".mark[aria-pressed=true]").count(), 2);
  const marked = await page.locator(".row:has(.mark[aria-pressed=true]) .text").allTextContents();
  const selected = () => page.locator(".row.selected .text").textContent();
  await page.keyboard.press("u");
  await until("the next mark", async () => (await selected()) === marked[1]);
  await page.keyboard.press("U");
  await until("the one before", async () => (await selected()) === marked[0]);
  await page.keyboard.press("c");
  const clipboard = () => page.evaluate(() => navigator.clipboard.readText());
  await until("they are copied", async () => (await clipboard()) === `${marked.join("\n")}\n`);
  await page.keyboard.press("C");
  await until("as records", async () => (await clipboard()).startsWith("{"));
  assert.deepEqual(
    (await clipboard())
      .trim()
      .split("\n")
      .map((text) => JSON.parse(text).line),
    marked,
  );
  await page.reload();
  await until(
    "the marks are back",
    async () => (await page.locator(".mark[aria-pressed=true]").count()) === 2,
  );
  await page.context().close();
});

test("what is shown and the whole source can be downloaded", async () => {
  const page = await open("logs/api/db.log?tail=20");
  const save = async (action) => {
    await page.keyboard.press("o");
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.locator(`[data-act=${action}]`).click(),
    ]);
    return [download.suggestedFilename(), readFileSync(await download.path(), "utf8")];
  };
  const lines = await linesOf(page);
  assert.equal(lines.length, 20);
  assert.deepEqual(await save("saveText"), ["api_db.log.txt", `${lines.join("\n")}\n`]);
  const [, whole] = await save("saveSource");
  assert.equal(whole, readFileSync(logs.path("api/db.log"), "utf8"));
  await page.locator("#search").fill("db 77");
  await page.keyboard.press("Enter");
  await until("it is filtered", async () =>
    (await linesOf(page)).every((text) => text.includes("db 77")),
  );
  const [, filtered] = await save("saveFiltered");
  assert.equal(filtered.trim().split("\n").length, 11);
  await page.context().close();
});

test("settings are kept, and wrap and theme stand in the fragment", async () => {
  const page = await open("logs/web.log");
  await page.keyboard.press("Alt+z");
  assert.equal(await page.locator("#wrap").getAttribute("aria-pressed"), "true");
  assert.match(page.url(), /wrap=true/);
  await page.keyboard.press("o");
  await page.locator("select[name=theme]").selectOption("dark");
  await page.locator("select[name=time]").selectOption("utc");
  await page.keyboard.press("Escape");
  assert.match(page.url(), /theme=dark/);
  assert.match(
    await page.locator(".row .time").last().textContent(),
    /^(?:[\d-]+ )?\d\d:\d\d:\d\d\.\d{3}$/,
  );
  await page.goto(`${server.url}logs/api/db.log`);
  await until("lines are there", async () => (await modelOf(page)).n > 0);
  assert.equal(await page.locator("#wrap").getAttribute("aria-pressed"), "true");
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "dark");
  await page.goto(`${server.url}logs/api/db.log#wrap=false&theme=light`);
  await page.reload();
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "light");
  await page.context().close();
});

test("the view is cleared, and the lines can be had again", async () => {
  const page = await open("logs/web.log");
  await page.keyboard.press("Control+Shift+L");
  await until("it is empty", async () => (await rowTexts(page)).length === 0);
  logs.append("web.log", "after\n");
  await untilLast(page, "after");
  assert.equal((await rowTexts(page)).length, 1);
  await page.locator(".head").click();
  await until("the lines are back", async () => (await modelOf(page)).n > 500);
  assert.equal((await linesOf(page)).at(-1), "after");
  await page.context().close();
});

test("a name with glob characters is opened and merged", async () => {
  const page = await openPage(server.url);
  await until("the list is there", async () => (await page.locator("#list a").count()) === 3);
  await page.locator("#list a", { hasText: "odd" }).click();
  await untilLast(page, "odd 1");
  await page.locator('#list a[title="web.log"]').hover();
  await page.locator('[aria-label="Merge by time: web.log"]').click();
  await until("both are there", async () => (await modelOf(page)).n > 100);
  assert.ok((await linesOf(page)).includes("odd 1"));
  await page.context().close();
});
