// Follows a WebSocket with the library `ws` and prints each line, until `last` has come.
// Usage: follow.js URL LAST. Midway it sends a command and expects its answer.
"use strict";
const WebSocket = require("ws");

const [url, last] = process.argv.slice(2);
const socket = new WebSocket(url, ["tailcast.v1"], { maxPayload: 512 * 1024 });
let isAnswered = false;
socket.on("open", () => {
  if (socket.protocol !== "tailcast.v1") throw new Error(`spoken: ${socket.protocol}`);
  socket.send(JSON.stringify({ id: 1, cmd: "filter", exclude: "unwanted" }));
});
socket.on("message", (data) => {
  const message = JSON.parse(data);
  if (message.re === 1) isAnswered = true;
  for (const record of message.lines ?? []) {
    process.stdout.write(`${record.line}\n`);
    if (record.line === last) {
      if (!isAnswered) throw new Error("the command was not answered");
      socket.close(1000);
    }
  }
});
socket.on("error", (error) => {
  throw error;
});
setTimeout(() => process.exit(3), 60_000).unref();
