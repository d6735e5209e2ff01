// The list of sources: thousands of them, new ones, and the jump by a few letters.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { closeBrowser, Logs, openPage, Server, until, untilLast } from "./support.js";

const N = 5000;
const logs = new Logs();
let server;

before(async () => {
  for (let i = 0; i < N; i++)
    logs.write(`service-${String(i % 50).padStart(2, "0")}/node-${i}.log`, `I am ${i}\n`);
  server = await Server.start([logs.folder]);
});
after(async () => {
  await closeBrowser();
  await server.stop();
  logs.remove();
});

const names = (page) => page.locator("#list .name").allTextContents();

test("five thousand sources are listed with few elements", async () => {
  const page = await openPage(`${server.url}logs/service-07/node-4207.log`);
  await untilLast(page, "I am 4207");
  await until("the list is there", async () => (await names(page)).length > 5);
  assert.ok((await page.locator("#list *").count()) < 500);
  assert.equal(await page.locator("#list .folder").first().textContent(), "▾ service-00/");
  assert.deepEqual((await names(page)).slice(0, 3), ["node-0.log", "node-50.log", "node-100.log"]);
  await page.locator("#list").evaluate((list) => (list.scrollTop = list.scrollHeight));
  await until(
    "the last one is seen",
    async () => (await names(page)).at(-1) === `node-${N - 1}.log`,
  );
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

test("a few letters jump to one, without a mouse", async () => {
  const page = await openPage(`${server.url}logs/service-00/node-0.log`);
  await untilLast(page, "I am 0");
  await until("the list is there", async () => (await names(page)).length > 5);
  await page.keyboard.press("Control+k");
  await page.keyboard.type("s42node4942");
  await until(
    "it is found",
    async () =>
      (await page.locator("[role=option][aria-selected=true]").textContent()) ===
      "service-42/node-4942.log",
  );
  await page.keyboard.press("Enter");
  await untilLast(page, "I am 4942");
  assert.match(page.url(), /logs\/service-42\/node-4942\.log$/);
  await page.goBack();
  await untilLast(page, "I am 0");
  await page.context().close();
});

test("a new source appears, one that grows is marked, one that goes is taken out", async () => {
  const page = await openPage(`${server.url}logs/service-00/node-0.log`);
  await until("the list is there", async () => (await names(page)).length > 5);
  logs.write("service-00/a-new.log", "hello\n");
  await until("it is there", async () => (await names(page)).includes("a-new.log"));
  await until("growing is seen", async () => {
    logs.append("service-00/node-50.log", "more\n");
    return (await page.locator(".source-row.active", { hasText: "node-50.log" }).count()) > 0;
  });
  await page.locator("#list .folder").first().click();
  await until("the folder is closed", async () => (await names(page))[0]?.startsWith("node-1.log"));
  await page.context().close();
});
