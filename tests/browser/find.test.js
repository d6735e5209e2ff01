// Finding: filters, highlights, levels, errors, times.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  closeBrowser,
  linesOf,
  Logs,
  modelOf,
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
const level = (n) => (n % 500 === 0 ? "ERROR" : n % 100 === 0 ? "WARN" : "INFO");
const line = (n) => `${stamp(n)} ${level(n)} request ${n} ${n % 7 === 0 ? "Timeout" : "done"}`;
const N = 5050;
const logs = new Logs();
let server;

before(async () => {
  logs.write(
    "app.log",
    Array.from(
      { length: N },
      (_, i) =>
        `${line(i + 1)}\n${(i + 1) % 500 === 0 ? "java.lang.Error: boom\n\tat a.B(C.java:1)\n\tat d.E(F.java:2)\n" : ""}`,
    ).join(""),
  );
  server = await Server.start([logs.folder]);
});
after(async () => {
  await closeBrowser();
  await server.stop();
  logs.remove();
});

const open = async (query = "") => {
  const page = await openPage(`${server.url}logs/app.log${query}`);
  await untilAtEnd(page);
  return page;
};
const search = async (page, text) => {
  await page.keyboard.press("/");
  await page.keyboard.type(text);
  await page.keyboard.press("Enter");
};
const isAll = async (page, test) => {
  const lines = await linesOf(page);
  return lines.length > 0 && lines.every(test);
};
const query = (page) => new URL(page.url()).searchParams;

test("Enter applies a pattern on the server, to old lines and new ones; one Esc clears it", async () => {
  const page = await open();
  await search(page, "timeout");
  await until("only hits are shown", () => isAll(page, (text) => /timeout/i.test(text)));
  assert.equal(query(page).get("grep"), "timeout");
  await until("those of the whole history", async () => (await modelOf(page)).n > 300);
  assert.deepEqual(await page.locator("mark").first().textContent(), "Timeout");
  logs.append("app.log", "new done\nnew Timeout\n");
  await until("a new hit comes", async () => (await linesOf(page)).at(-1) === "new Timeout");
  assert.ok(await isAll(page, (text) => /timeout/i.test(text)));
  await page.locator("#search").focus();
  await page.keyboard.press("Escape");
  await until("all lines are back", async () => (await linesOf(page)).includes("new done"));
  assert.equal(query(page).get("grep"), null);
  assert.equal(await page.locator("#search").inputValue(), "");
  assert.equal(await page.evaluate(() => document.activeElement.className), "scroller");
  await page.context().close();
});

test("upper case in a pattern counts", async () => {
  const page = await open();
  await search(page, "TIMEOUT");
  await until("nothing fits", async () => (await modelOf(page)).n === 0);
  await page.context().close();
});

test("h turns a filter into a highlight and back, and the line stays where it is", async () => {
  const page = await open();
  await search(page, "request 35\\d\\d ");
  await until("only hits are shown", async () => (await modelOf(page)).n === 100);
  await page.keyboard.press("k");
  for (let i = 0; i < 30; i++) await page.keyboard.press("k");
  const selected = () =>
    page
      .locator(".row.selected")
      .evaluate((row) => [
        row.querySelector(".text").textContent,
        Math.round(row.getBoundingClientRect().top),
      ]);
  const [text, top] = await selected();
  await page.keyboard.press("h");
  await until("all lines are shown", async () =>
    (await linesOf(page)).some((line) => line.includes("request 3600 ")),
  );
  await until(
    "the line is selected",
    async () => (await page.locator(".row.selected").count()) === 1,
  );
  await until("where it was", async () => {
    const there = await selected();
    return there[0] === text && Math.abs(there[1] - top) <= 2;
  });
  const there = await selected();
  assert.ok((await page.locator("mark").count()) > 0);
  assert.equal(query(page).get("grep"), null);
  assert.match(page.url(), /#.*highlight=/);
  await page.keyboard.press("h");
  await until("only hits again", async () => (await modelOf(page)).n === 100);
  await until("at the same place", async () => `${await selected()}` === `${[text, there[1]]}`);
  await page.context().close();
});

test("n and N walk the hits, also those that are not loaded", async () => {
  const page = await open();
  await page.keyboard.press("/");
  await page.keyboard.type("request (4990|1234) ");
  await page.keyboard.press("Alt+Enter").catch(() => {});
  await page.locator("#mode").click();
  await page.locator(".scroller").focus();
  const selected = async () =>
    (await page.locator(".row.selected .text").count())
      ? page.locator(".row.selected .text").textContent()
      : "";
  await page.keyboard.press("N");
  await until("the last hit", async () => (await selected()).includes("request 4990 "));
  await page.keyboard.press("N");
  await until("the one far back", async () => (await selected()).includes("request 1234 "));
  await until("it has context", async () => {
    const around = (await visibleRows(page)).map(({ text }) => text);
    return ["request 1233 ", "request 1235 "].every((part) =>
      around.some((text) => text.includes(part)),
    );
  });
  await page.keyboard.press("n");
  await until("forward again", async () => (await selected()).includes("request 4990 "));
  await page.context().close();
});

test("an inverted pattern leaves out, and both together stand in the URL", async () => {
  const page = await open("?grep=request&exclude=done");
  assert.ok(await isAll(page, (text) => text.includes("Timeout")));
  assert.equal(await page.locator("#chip").textContent(), "not: done ×");
  await page.locator("#chip").click();
  await until("done is back", async () =>
    (await linesOf(page)).some((text) => text.endsWith("done")),
  );
  assert.equal(query(page).get("exclude"), null);
  await page.locator("#search").fill("done");
  await page.locator("#invert").click();
  await until("done is left out", () => isAll(page, (text) => !text.includes("done")));
  assert.equal(query(page).get("exclude"), "done");
  await page.context().close();
});

test("a wrong pattern is told in words, and the lines stay", async () => {
  const page = await open();
  const { n } = await modelOf(page);
  await search(page, "(unclosed");
  await until("it is told", async () =>
    /unclosed|group|pattern/.test(await page.locator("#search-error").textContent()),
  );
  assert.ok((await modelOf(page)).n >= n);
  logs.append("app.log", "still live\n");
  await untilLast(page, "still live");
  await page.context().close();
});

test("levels filter, with the stack traces of what passes", async () => {
  const page = await open();
  await page.locator("#levels button[value=error]").click();
  await until("only errors are shown", () =>
    isAll(page, (text) => / ERROR |boom|\tat /.test(text)),
  );
  assert.equal(query(page).get("level"), "error");
  await until(
    "the last ten",
    async () => (await linesOf(page)).filter((text) => text.includes("ERROR")).length === 10,
  );
  await page.locator("#levels button[value='']").click();
  await until("all are back", async () =>
    (await linesOf(page)).some((text) => text.includes("INFO")),
  );
  await page.context().close();
});

test("e, E, w and W go to errors and warnings, wherever they are", async () => {
  const page = await open();
  const selected = async () =>
    (await page.locator(".row.selected .text").count())
      ? page.locator(".row.selected .text").textContent()
      : "";
  for (const n of [5000, 4500, 4000]) {
    await page.keyboard.press("E");
    await until(`error ${n}`, async () => (await selected()).includes(`request ${n} `));
  }
  await page.keyboard.press("e");
  await until("the next error", async () => (await selected()).includes("request 4500 "));
  await page.keyboard.press("W");
  await until("the warning before", async () => (await selected()).includes("request 4400 "));
  await page.keyboard.press("w");
  await until("the warning after", async () => (await selected()).includes("request 4600 "));
  await page.context().close();
});

test("stack traces are folded and unfolded", async () => {
  const page = await open("?level=error");
  await until("they are there", async () => (await page.locator(".fold").count()) > 5);
  assert.equal(await page.locator(".fold").first().textContent(), "▾ 3 lines");
  await page.keyboard.press("z");
  await until("all are folded", async () =>
    (await rowTexts(page)).every((text) => !text.includes("boom")),
  );
  await page.keyboard.press("z");
  await until("and unfolded", async () =>
    (await rowTexts(page)).some((text) => text.includes("boom")),
  );
  await page.context().close();
});

test("t jumps to a time", async () => {
  const page = await open();
  await page.keyboard.press("t");
  await page.keyboard.type(stamp(2222));
  await page.keyboard.press("Enter");
  await until(
    "that line is selected",
    async () =>
      (await page.locator(".row.selected .text").count()) &&
      (await page.locator(".row.selected .text").textContent()).includes("request 2222 "),
  );
  const { isFollowing } = await modelOf(page);
  assert.equal(isFollowing, false);
  await page.context().close();
});
