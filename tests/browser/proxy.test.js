// Behind nginx, as it is installed, under a path of its own.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import {
  closeBrowser,
  freePort,
  Logs,
  modelOf,
  numbered,
  openPage,
  rowTexts,
  Server,
  until,
  untilLast,
} from "./support.js";

const NGINX = ["/usr/sbin/nginx", "/usr/bin/nginx"].find(existsSync);
const logs = new Logs();
const own = new Logs();
let server;
let nginx;
let port;

const UPGRADE =
  'proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";';

before(async () => {
  if (!NGINX) throw new Error("nginx is missing; install Debian's package nginx-light");
  logs.write("shop/app.log", numbered(1, 2500));
  logs.write("shop/b.log", "b 1\n");
  server = await Server.start([logs.folder]);
  port = await freePort();
  const at = (name) => own.path(name);
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((kind) => `${kind}_temp_path ${at(kind)};`)
    .join(" ");
  const location = (path, more) =>
    `location ${path} { proxy_pass ${server.url}; proxy_set_header Host $http_host; ${more} }`;
  writeFileSync(
    at("nginx.conf"),
    `daemon off; worker_processes 1; pid ${at("pid")}; error_log ${at("error")}; events {}
		http { access_log off; ${temporary} server { listen 127.0.0.1:${port}; ${location("/ops/logs/", UPGRADE)} ${location("/plain/", "")} } }`,
  );
  nginx = spawn(NGINX, ["-c", at("nginx.conf"), "-p", own.folder], { stdio: "inherit" });
  await until("nginx answers", () =>
    fetch(`http://127.0.0.1:${port}/ops/logs/readyz`).then(
      (answer) => answer.ok,
      () => false,
    ),
  );
});
after(async () => {
  await closeBrowser();
  nginx?.kill("SIGTERM");
  await server?.stop();
  logs.remove();
  own.remove();
});

for (const [path, label] of [
  ["ops/logs", "WebSocket"],
  ["plain", "SSE"],
]) {
  test(`under /${path}/ everything works, over ${label}`, async () => {
    const requests = [];
    const page = await openPage(`http://127.0.0.1:${port}/${path}/logs/shop/app.log`, {}, (page) =>
      page.on("request", (request) => requests.push(request.url())),
    );
    await until("lines are there", async () => (await rowTexts(page)).includes("line 2500"));
    assert.equal((await modelOf(page)).label, label);
    logs.append("shop/app.log", `live ${label}\n`);
    await untilLast(page, `live ${label}`);
    await page.keyboard.press("Home");
    await until("the first line", async () => (await rowTexts(page))[0] === "line 1");
    await until("the list is there", async () => (await page.locator("#list a").count()) === 2);
    await page.locator("#list a", { hasText: "b.log" }).click();
    await untilLast(page, "b 1");
    assert.equal(page.url(), `http://127.0.0.1:${port}/${path}/logs/shop/b.log`);
    await page.reload();
    await untilLast(page, "b 1");
    await page.goto(`http://127.0.0.1:${port}/${path}/`);
    await until("a log is opened", async () => page.url().includes(`/${path}/logs/shop/`));
    assert.deepEqual(
      requests.filter(
        (url) => !url.startsWith(`http://127.0.0.1:${port}/${path}/`) && !url.startsWith("data:"),
      ),
      [],
    );
    assert.deepEqual(page.complaints, []);
    await page.context().close();
  });
}
