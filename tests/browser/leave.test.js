// A page that is left by a link is kept by the browser for the way back, and with it what it has open.
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
  untilLast,
} from "./support.js";

const logs = new Logs();
let server;

before(async () => {
  logs.write("app.log", numbered(1, 20));
  server = await Server.start([logs.folder]);
});
after(async () => {
  await closeBrowser();
  await server.stop();
  logs.remove();
});

const viewers = async () => {
  const metrics = await (await fetch(`${server.url}metrics`)).text();
  return [...metrics.matchAll(/^tailcast_viewers\{.*\} (\d+)$/gm)].reduce(
    (sum, [, n]) => sum + Number(n),
    0,
  );
};
const happen = (page, name) =>
  page.evaluate((name) => dispatchEvent(new PageTransitionEvent(name, { persisted: true })), name);

test("a page that was left holds no stream, and goes on where it was", async () => {
  const page = await openPage(`${server.url}logs/app.log`);
  await untilLast(page, "line 20");
  assert.equal(await viewers(), 1);
  await happen(page, "pagehide");
  await until("nobody is left", async () => (await viewers()) === 0);
  logs.append("app.log", numbered(21, 30));
  await happen(page, "pageshow");
  await untilLast(page, "line 30");
  assert.deepEqual((await linesOf(page)).slice(-12), numbered(19, 30).trimEnd().split("\n"));
  assert.equal((await modelOf(page)).label, "WebSocket");
  assert.equal(await viewers(), 1);
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

test("a log that had ended does not begin again on the way back", async () => {
  const page = await openPage(`${server.url}logs/app.log?follow=false`);
  await until("it has ended", async () => (await modelOf(page)).state === "ended");
  await happen(page, "pagehide");
  await happen(page, "pageshow");
  assert.equal((await modelOf(page)).state, "ended");
  assert.equal(await viewers(), 0);
  await page.context().close();
});
