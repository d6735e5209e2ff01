// Keys, screen readers, phones: everything works without a mouse and for everybody.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import {
  closeBrowser,
  Logs,
  modelOf,
  numbered,
  openPage,
  rowTexts,
  Server,
  until,
  untilAtEnd,
} from "./support.js";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };
const logs = new Logs();
let server;

before(async () => {
  const colours = [...Array(8).keys()]
    .map((n) => `\x1b[3${n}mcolour ${n}\x1b[0m \x1b[9${n}mbright ${n}\x1b[0m`)
    .join(" ");
  const tinted = [16, 21, 46, 196, 226, 231, 244]
    .map((n) => `\x1b[38;5;${n}mtint ${n}\x1b[0m`)
    .join(" ");
  logs.write(
    "shop/app.log",
    [
      ...Array.from({ length: 800 }, (_, i) => `2026-11-20T10:00:00Z INFO request ${i}`),
      "2026-11-20T10:00:01Z DEBUG details",
      "2026-11-20T10:00:01Z WARN slow",
      "2026-11-20T10:00:01Z ERROR failed https://example.org/x",
      "java.lang.Error: boom",
      "\tat a.B(C.java:1)",
      '{"time":"2026-11-20T10:00:02Z","level":"info","msg":"json","user":{"name":"x","n":1}}',
      'level=error msg="logfmt" n=1',
      colours,
      tinted,
      "control \u0007 sign",
      "\x1b[2mdim\x1b[0m \x1b[7minverse\x1b[0m \x1b[41mground\x1b[0m",
    ]
      .map((line) => `${line}\n`)
      .join(""),
  );
  logs.write("shop/other.log", numbered(1, 5));
  server = await Server.start([logs.folder]);
});
after(async () => {
  await closeBrowser();
  await server.stop();
  logs.remove();
});

const open = async (path = "logs/shop/app.log", options = {}) => {
  const page = await openPage(server.url + path, options);
  await untilAtEnd(page);
  return page;
};

const violations = async (page) => {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() =>
    globalThis.axe.run(document, { resultTypes: ["violations"] }),
  );
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(
      (node) =>
        `${id}: ${node.html.slice(0, 160)} ${node.any
          .map(({ message }) => message)
          .join("; ")
          .slice(0, 200)}`,
    ),
  );
};

for (const [where, options] of [
  ["desktop", {}],
  ["a phone", PHONE],
]) {
  for (const colorScheme of ["light", "dark"]) {
    test(`axe finds nothing on ${where} in ${colorScheme}`, async () => {
      const page = await open("logs/shop/app.log#highlight=request", { ...options, colorScheme });
      await until("the list is there", async () => (await page.locator("#list a").count()) === 2);
      assert.deepEqual(await violations(page), []);
      await page.keyboard.press("k");
      await page.keyboard.press("m");
      await page.keyboard.press("Enter");
      await page
        .locator(".toggle")
        .first()
        .evaluate((toggle) => toggle.click());
      await until("a tree is open", async () => (await page.locator(".tree").count()) > 0);
      await page.evaluate(() => document.querySelector("#menu").click());
      assert.deepEqual(await violations(page), [], "with a tree, a mark, the drawer");
      await page.keyboard.press("Escape");
      for (const key of ["?", "o", "t", "Control+k"]) {
        await page.locator(".scroller").focus();
        await page.keyboard.press(key);
        await until(
          `${key} opens a dialog`,
          async () => (await page.locator("dialog[open]").count()) === 1,
        );
        assert.deepEqual(await violations(page), [], key);
        await page.keyboard.press("Escape");
      }
      await page.context().close();
    });
  }
}

test("on a phone nothing is wider than the screen, and the list is a drawer", async () => {
  const page = await open("logs/shop/app.log", PHONE);
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
  assert.equal(await page.locator("#sources").isVisible(), false);
  await page.locator("#menu").tap();
  await until("the drawer is open", async () => page.locator("#sources").isVisible());
  await page.locator("#list a", { hasText: "other.log" }).tap();
  await until("the other log is shown", async () => (await rowTexts(page)).at(-1) === "line 5");
  assert.equal(await page.locator("#sources").isVisible(), false);
  const small = await page
    .locator("#tools button:visible, #bar button:visible")
    .evaluateAll((buttons) =>
      buttons
        .filter((button) => button.getBoundingClientRect().height < 24)
        .map((button) => button.outerHTML),
    );
  assert.deepEqual(small, []);
  await page.context().close();
});

test("the log is a log for screen readers, and is summed up now and then", async () => {
  const page = await open();
  assert.equal(await page.locator("[role=log]").getAttribute("aria-live"), "off");
  assert.ok(await page.locator("[role=log]").getAttribute("aria-label"));
  logs.append(
    "shop/app.log",
    numbered(1, 3, () => "2026-11-20T10:00:05Z ERROR again"),
  );
  await until("it is told", async () =>
    /\d+ new lines.*errors?/.test(await page.locator("#live").textContent()),
  );
  await page.context().close();
});

test("Space and = pause, and each way back resumes", async () => {
  const page = await open();
  const isFollowing = async () => (await modelOf(page)).isFollowing;
  for (const [pause, resume] of [
    ["Space", "G"],
    ["=", "="],
    ["k", "End"],
    ["PageUp", "F"],
    ["b", "G"],
    ["Control+u", "F"],
    ["ArrowUp", "="],
  ]) {
    await page.keyboard.press(pause);
    await until(`${pause} pauses`, async () => !(await isFollowing()));
    await page.keyboard.press(resume);
    await until(`${resume} resumes`, isFollowing);
  }
  await page.keyboard.press("b");
  await page.keyboard.press("b");
  await until("it is paused", async () => !(await isFollowing()));
  await until("paging down to the end resumes", async () => {
    if (await isFollowing()) return true;
    await page.keyboard.press("PageDown");
    return false;
  });
  await page.context().close();
});

test("the second Ctrl+F is the browser's, and letters in the field are letters", async () => {
  const page = await open();
  await page.keyboard.press("Control+f");
  assert.equal(await page.evaluate(() => document.activeElement.id), "search");
  await page.keyboard.type("ge?/n ");
  assert.equal(await page.locator("#search").inputValue(), "ge?/n ");
  assert.equal(await page.locator("dialog[open]").count(), 0);
  const isPrevented = await page.evaluate(() => {
    const event = new KeyboardEvent("keydown", {
      key: "f",
      code: "KeyF",
      ctrlKey: true,
      bubbles: true,
      cancelable: true,
    });
    document.activeElement.dispatchEvent(event);
    return event.defaultPrevented;
  });
  assert.equal(isPrevented, false);
  await page.context().close();
});

test("? lists the keys, and Tab reaches the tools", async () => {
  const page = await open();
  await page.keyboard.press("?");
  const keys = await page.locator("#keys kbd").allTextContents();
  for (const key of [
    "/",
    "n",
    "N",
    "Esc",
    "g",
    "G",
    "j",
    "k",
    "Space",
    "b",
    "Ctrl d",
    "Ctrl u",
    "F",
    "=",
    "e",
    "E",
    "w",
    "W",
    "m",
    "u",
    "U",
    "c",
    "Ctrl f",
    "Ctrl k",
    "Ctrl Shift l",
    "F3",
    "Shift F3",
    "?",
  ]) {
    assert.ok(keys.includes(key), key);
  }
  await page.keyboard.press("Escape");
  const reached = new Set();
  for (let i = 0; i < 60; i++) {
    await page.keyboard.press("Tab");
    reached.add(
      await page.evaluate(
        () =>
          document.activeElement.id ||
          document.activeElement.dataset.act ||
          document.activeElement.className,
      ),
    );
  }
  for (const stop of ["search", "mode", "invert", "follow", "wrap", "jumper", "scroller"])
    assert.ok(reached.has(stop), `${stop} of ${[...reached]}`);
  await page.context().close();
});

test("Enter opens the fields of a line as a tree", async () => {
  const page = await open("logs/shop/app.log?grep=json");
  await page.keyboard.press("k");
  await page.keyboard.press("Enter");
  await until("the tree is open", async () => (await page.locator(".tree details").count()) === 1);
  assert.match(await page.locator(".tree").textContent(), /message: json.*user \{2\}name: xn: 1/);
  await page.keyboard.press("Enter");
  await until("it is closed", async () => (await page.locator(".tree").count()) === 0);
  await page.context().close();
});
