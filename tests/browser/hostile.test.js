// Log text is only ever text: whatever it holds, it is shown and runs nothing.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { closeBrowser, Logs, openPage, rowTexts, Server, until } from "./support.js";

const LINES = [
  "<script>globalThis.hacked = 1</script>",
  '<img src=x onerror="globalThis.hacked = 2">',
  '"><svg/onload=globalThis.hacked=3>',
  "\x1b]8;;javascript:globalThis.hacked=4\x07click\x1b]8;;\x07",
  "visible\x1b[8mconcealed\x1b[0m",
  "\x1b[30;40mblack on black\x1b[0m",
  "over\x1b[2K\x1b[1Gwritten",
  "real\rfake",
  "abc\u202egpj.exe",
  "zero\u200bwidth\ufeff",
  "nul\0here",
  '{"msg":"<b>bold</b>","u":"javascript:alert(1)","x":"\\u0000"}',
  "javascript:alert(1) http://ok.example/a?b=c",
  "\x1b[38;5;21mblue\x1b[0m \x1b[38;2;255;0;0mred\x1b[0m \x1b[1;4mbold\x1b[0m",
];
const SHOWN = [
  LINES[0],
  LINES[1],
  LINES[2],
  "⟨ESC⟩]8;;javascript:globalThis.hacked=4⟨BEL⟩click⟨ESC⟩]8;;⟨BEL⟩",
  "visibleconcealed",
  "black on black",
  "over⟨ESC⟩[2K⟨ESC⟩[1Gwritten",
  "real⟨CR⟩fake",
  "abc⟨U+202E⟩gpj.exe",
  "zero⟨U+200B⟩width⟨U+FEFF⟩",
  "nul⟨NUL⟩here",
  "<b>bold</b>  u=javascript:alert(1)  x=⟨NUL⟩",
  LINES[12],
  "blue red bold",
];
const logs = new Logs();
let server;

before(async () => {
  logs.write("hostile.log", "first\n");
  logs.write("<img src=x onerror=hacked=5>.log", "odd name\n");
  server = await Server.start([logs.folder]);
  // Written later: a file that begins with a NUL would be left out as binary.
  logs.append("hostile.log", LINES.map((line) => `${line}\n`).join(""));
});
after(async () => {
  await closeBrowser();
  await server.stop();
  logs.remove();
});

test("hostile lines are shown as they are and run nothing", async () => {
  const page = await openPage(`${server.url}logs/hostile.log`);
  await until(
    "all lines are there",
    async () => (await rowTexts(page)).length === LINES.length + 1,
  );
  assert.deepEqual((await rowTexts(page)).slice(1), SHOWN);
  assert.equal(await page.evaluate(() => globalThis.hacked), undefined);
  assert.equal(await page.locator(".rows script, .rows img, .rows svg").count(), 0);
  const links = await page
    .locator(".rows a")
    .evaluateAll((links) => links.map((link) => [link.href, link.rel, link.target]));
  assert.deepEqual(links, [["http://ok.example/a?b=c", "noopener noreferrer", "_blank"]]);
  const heights = await page
    .locator(".row")
    .evaluateAll((rows) => [...new Set(rows.map((row) => row.getBoundingClientRect().height))]);
  assert.equal(heights.length, 1, `${heights}`);
  await page.context().close();
});

test("hidden text can be seen: its colour differs from its ground", async () => {
  for (const colorScheme of ["light", "dark"]) {
    const page = await openPage(`${server.url}logs/hostile.log`, { colorScheme });
    await until(
      "all lines are there",
      async () => (await rowTexts(page)).length === LINES.length + 1,
    );
    const spans = await page.locator(".row .text span").evaluateAll((spans) =>
      spans.map((span) => {
        const { color, backgroundColor, opacity, visibility } = getComputedStyle(span);
        return { text: span.textContent, color, backgroundColor, opacity, visibility };
      }),
    );
    for (const { text, color, backgroundColor, opacity, visibility } of spans) {
      assert.notEqual(color, backgroundColor, text);
      assert.ok(Number(opacity) > 0.5 && visibility === "visible", text);
    }
    await page.context().close();
  }
});

test("a source's name is only text as well", async () => {
  const page = await openPage(`${server.url}logs/hostile.log`);
  await until("it is in the list", async () =>
    (await page.locator("#list .name").allTextContents()).some((name) => name.includes("<img")),
  );
  await page.keyboard.press("Control+k");
  await page.keyboard.type("onerror");
  await page.keyboard.press("Enter");
  await until("it is open", async () => (await rowTexts(page))[0] === "odd name");
  assert.equal(await page.evaluate(() => globalThis.hacked), undefined);
  assert.equal(await page.locator("#list img, h1 img").count(), 0);
  await page.context().close();
});

test("the page's policy forbids what is not its own", async () => {
  const answer = await fetch(`${server.url}logs/hostile.log`, { headers: { accept: "text/html" } });
  const policy = answer.headers.get("content-security-policy");
  assert.match(policy, /default-src 'none'/);
  assert.doesNotMatch(policy, /unsafe|\*/);
  const html = await answer.text();
  assert.doesNotMatch(html, /(?:href|src)="(?:\/|http)/, "URLs are relative");
  const page = await openPage(`${server.url}logs/hostile.log`);
  const isBlocked = await page.evaluate(() => {
    const script = document.createElement("script");
    script.textContent = "globalThis.inlined = true";
    document.body.append(script);
    return globalThis.inlined === undefined;
  });
  assert.ok(isBlocked);
  await page.context().close();
});

test("the page's files have their types, and are not sent twice", async () => {
  const html = await (await fetch(server.url, { headers: { accept: "text/html" } })).text();
  const files = [...html.matchAll(/(?:src|href)="(static\/[^"]+)"/g)].map(([, file]) => file);
  assert.ok(files.length > 15);
  for (const file of files) {
    const answer = await fetch(server.url + file);
    assert.equal(answer.status, 200, file);
    assert.match(
      answer.headers.get("content-type"),
      { js: /javascript/, css: /text\/css/, svg: /image\/svg/ }[file.split(".").pop()],
    );
    assert.equal(answer.headers.get("x-content-type-options"), "nosniff");
    const again = await fetch(server.url + file, {
      headers: { "if-none-match": answer.headers.get("etag") },
      cache: "no-store",
    });
    assert.equal(again.status, 304, file);
  }
  assert.equal((await fetch(`${server.url}static/none.js`)).status, 404);
  assert.equal((await fetch(`${server.url}static/index.html`)).status, 404);
  assert.equal((await fetch(`${server.url}static/login.html`)).status, 404);
});
