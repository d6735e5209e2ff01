// Scrolling: far back and forth, with few rows and nothing wrong. TAILCAST_LINES=1000000 is the whole of it.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  closeBrowser,
  linesOf,
  Logs,
  modelOf,
  numbered,
  openPage,
  Server,
  until,
  visibleRows,
} from "./support.js";

const N = Number(process.env.TAILCAST_LINES ?? 200_000);
const logs = new Logs();
let server;

before(async () => {
  logs.write(
    "million.log",
    numbered(1, N, (n) => `number ${n}`),
  );
  logs.write("long.log", `first\n${"a".repeat(300_000)}\n${"b".repeat(3_000_000)}\nlast\n`);
  logs.write(
    "wrapped.log",
    numbered(1, 5000, (n) => `number ${n} ${"word ".repeat((n * 7) % 90)}`),
  );
  server = await Server.start([logs.folder]);
});
after(async () => {
  await closeBrowser();
  await server.stop();
  logs.remove();
});

/** Scrolls by script as far as it goes, and checks what is seen on the way. @returns how many different lines were seen */
const travel = (page, direction, n) =>
  page.evaluate(
    async ([direction, n]) => {
      const view = document.querySelector("tailcast-log");
      const { scroller, model } = view;
      const goal = `number ${direction < 0 ? 1 : n}`;
      let mostRows = 0;
      let mostLines = 0;
      const wrong = [];
      const end = performance.now() + 20_000 + n / 4;
      for (;;) {
        scroller.scrollTop += direction * 16_000;
        await new Promise(requestAnimationFrame);
        await new Promise(requestAnimationFrame);
        const texts = [...scroller.querySelectorAll(".row .text")].map((text) => text.textContent);
        mostRows = Math.max(mostRows, texts.length);
        mostLines = Math.max(mostLines, model.store.lines.length);
        const numbers = texts
          .filter((text) => text.startsWith("number"))
          .map((text) => Number(text.split(" ")[1]));
        for (let i = 1; i < numbers.length; i++)
          if (numbers[i] !== numbers[i - 1] + 1) wrong.push(numbers[i]);
        const { lines } = model.store;
        const from = Number(lines[0]?.text.split(" ")[1]);
        const isHoley =
          lines.length && Number(lines.at(-1).text.split(" ")[1]) !== from + lines.length - 1;
        if (isHoley || wrong.length) return { mostRows, mostLines, wrong, at: from, isHoley };
        if (texts.includes(goal)) return { mostRows, mostLines, wrong };
        if (performance.now() > end) return { mostRows, mostLines, wrong, at: from, isLate: true };
      }
    },
    [direction, n],
  );

test(`${N} lines are scrolled from the end to the start and back`, async (t) => {
  const page = await openPage(`${server.url}logs/million.log`);
  await until(
    "the end is seen",
    async () => (await visibleRows(page)).at(-1)?.text === `number ${N}`,
  );
  await page.locator(".scroller").hover();
  await page.mouse.wheel(0, -300);
  for (const direction of [-1, 1]) {
    const begin = Date.now();
    const { mostRows, mostLines, wrong, ...more } = await travel(page, direction, N);
    t.diagnostic(
      `${direction < 0 ? "up" : "down"}: ${Math.round((Date.now() - begin) / 1000)} s, ${mostRows} rows and ${mostLines} lines at most`,
    );
    assert.deepEqual({ wrong, ...more }, { wrong: [] });
    assert.ok(mostRows <= 500, `${mostRows} rows`);
    assert.ok(mostLines < 40_000, `${mostLines} lines`);
  }
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

test("Home and End jump to both ends, and the page is live again", async () => {
  const page = await openPage(`${server.url}logs/million.log`);
  await until(
    "the end is seen",
    async () => (await visibleRows(page)).at(-1)?.text === `number ${N}`,
  );
  await page.keyboard.press("Home");
  await until(
    "the first line is seen",
    async () => (await visibleRows(page))[0]?.text === "number 1",
  );
  await until(
    "it says so",
    async () => (await page.locator(".head").textContent()) === "the beginning",
  );
  await page.keyboard.press("End");
  await until(
    "the end is seen",
    async () => (await visibleRows(page)).at(-1)?.text === `number ${N}`,
  );
  logs.append("million.log", `number ${N + 1}\n`);
  await until(
    "it is live",
    async () => (await visibleRows(page)).at(-1)?.text === `number ${N + 1}`,
  );
  await page.context().close();
});

test("what is looked at stays where it is while lines come and older ones are fetched", async () => {
  const page = await openPage(`${server.url}logs/wrapped.log#wrap=true`);
  await until("the end is seen", async () => (await visibleRows(page)).length > 0);
  await page.locator(".scroller").hover();
  await page.mouse.wheel(0, -9000);
  await until(
    "older lines are there",
    async () => (await modelOf(page)).n >= 1400 && !(await modelOf(page)).isFollowing,
  );
  await new Promise((resolve) => setTimeout(resolve, 300));
  const before = await visibleRows(page);
  logs.append(
    "wrapped.log",
    numbered(5001, 5100, (n) => `number ${n}`),
  );
  await until("they have come", async () => (await modelOf(page)).last === "number 5100");
  const after = await visibleRows(page);
  assert.deepEqual(after.slice(0, 5), before.slice(0, 5));
  for (let i = 0; i < 12; i++) {
    const top = (await visibleRows(page))[0];
    await page.mouse.wheel(0, -40);
    await until(
      "it has moved",
      async () => (await visibleRows(page)).find(({ text }) => text === top.text)?.top !== top.top,
    );
    await new Promise((resolve) => setTimeout(resolve, 60));
    const moved = (await visibleRows(page)).find(({ text }) => text === top.text);
    assert.ok(
      moved && Math.abs(moved.top - top.top - 40) <= 2,
      `moved from ${top.top} to ${moved?.top}`,
    );
  }
  await page.context().close();
});

test("long lines are folded, and open", async () => {
  const page = await openPage(`${server.url}logs/long.log`);
  const folds = async () => (await page.locator(".more").allTextContents()).join(", ");
  await until(
    "both are there",
    async () => (await folds()) === "show 296 kB more, show 1.0 MB more",
  );
  assert.equal(
    await page
      .locator(".row .text")
      .nth(1)
      .evaluate((text) => text.textContent.length),
    4000,
  );
  await page
    .locator(".more")
    .first()
    .click({ position: { x: 5, y: 5 } });
  await until(
    "all of it is shown",
    async () =>
      (await page
        .locator(".row .text")
        .nth(1)
        .evaluate((text) => text.textContent.length)) === 300_000,
  );
  assert.deepEqual(
    (await linesOf(page)).map((text) => text.length),
    [5, 300_000, 1 << 20, 4],
  );
  await page.context().close();
});
