// What a browser keeps through a login.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, test } from "node:test";
import { closeBrowser, Logs, openPage, PROGRAM, Server } from "./support.js";

const logs = new Logs();
let server;

before(async () => {
  logs.write("logs/app.log", "first\nsecond\n");
  logs.write("house.toml", "[default.tailcast]\n");
  logs.write("password", "correct horse\n");
  const config = ["--config", logs.path("house.toml")];
  execFileSync(PROGRAM, [
    "user",
    "add",
    "alice",
    "--password-file",
    logs.path("password"),
    ...config,
  ]);
  server = await Server.start([logs.path("logs"), ...config]);
});

after(async () => {
  await closeBrowser();
  await server?.stop();
  logs.remove();
});

test("a shared link keeps its line through the login, also after a wrong password", async () => {
  const page = await openPage(`${server.url}logs/app.log?tail=5#line=abc`);
  assert.match(page.url(), /\/login\?next=.*#line=abc$/);
  for (const password of ["wrong horse", "correct horse"]) {
    await page.fill("input[name=name]", "alice");
    await page.fill("input[name=password]", password);
    await Promise.all([page.waitForEvent("load"), page.click("button:visible")]);
    assert.ok(page.url().endsWith("#line=abc"), page.url());
  }
  assert.match(page.url(), /\/logs\/app\.log\?tail=5#line=abc$/);
  assert.deepEqual(page.complaints, []);
});
