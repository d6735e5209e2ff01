// A source that cannot be read is told among the lines of those that can.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { closeBrowser, Logs, numbered, openPage, Server, until } from "./support.js";

const logs = new Logs();
let server;

before(async () => {
  logs.write("app.log", numbered(1, 3));
  logs.write("web.log", numbered(1, 3));
  server = await Server.start([logs.folder]);
});
after(async () => {
  await closeBrowser();
  await server.stop();
  logs.remove();
});

test("a source that cannot be read is told in a note", async () => {
  // Whoever runs the tests may read everything: the record is put into the real stream.
  const record = {
    event: "unreadable",
    source: "web.log",
    reason: "Permission denied (os error 13)",
  };
  const page = await openPage(`${server.url}logs/{app,web}.log`, {}, (page) =>
    page.routeWebSocket(/\/logs\//, (socket) => {
      const real = socket.connectToServer();
      let isTold = false;
      real.onMessage((message) => {
        socket.send(message);
        if (!isTold) socket.send(JSON.stringify(record));
        isTold = true;
      });
    }),
  );
  const note = page.locator(".row.note.warn .text");
  await until("it is told", async () => (await note.count()) === 1);
  assert.equal(await note.textContent(), "web.log cannot be read: Permission denied (os error 13)");
  await until(
    "the others' lines are there",
    async () => (await page.locator(".row .text", { hasText: "line 3" }).count()) > 0,
  );
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});
