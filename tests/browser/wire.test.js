// What of the page is on the wire: the files as they are, and compressed for those who take it.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { get } from "node:http";
import { dirname, join, relative } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { Logs, Server } from "./support.js";

const STATIC = join(dirname(fileURLToPath(import.meta.url)), "../../static");
const MAX_BYTES = 64 * 1024;
/** Deeper than the pages that are compressed at start. */
const DEEP = "1/2/3/4/5/6/7/8/9/deep.log";
const logs = new Logs();
let server;

before(async () => {
  logs.write("a/b.log", "one\n");
  logs.write("c.log", "one\n");
  logs.write(DEEP, "one\n");
  server = await Server.start([logs.folder]);
});

after(async () => {
  await server?.stop();
  logs.remove();
});

/** The bytes as they come, still compressed. */
const fetchRaw = (path, headers = {}) =>
  new Promise((resolve, reject) => {
    get(server.url + path, { headers, agent: false }, (answer) => {
      const pieces = [];
      answer.on("data", (piece) => pieces.push(piece)).on("error", reject);
      answer.on("end", () =>
        resolve({
          status: answer.statusCode,
          headers: answer.headers,
          body: Buffer.concat(pieces),
          nHeaderBytes: answer.rawHeaders.join("").length,
        }),
      );
    }).on("error", reject);
  });

const entries = readdirSync(STATIC, { recursive: true, withFileTypes: true }).filter((entry) =>
  entry.isFile(),
);
const files = entries
  .map((entry) => relative(STATIC, join(entry.parentPath, entry.name)))
  .filter((file) => !/\.(?:html|d\.ts)$/.test(file));
const GZIP = { "accept-encoding": "gzip, deflate, br" };
const HTML = { accept: "text/html" };
const contentOf = (file) => readFileSync(join(STATIC, file));

test("a file in static is sent byte for byte", async () => {
  assert.ok(files.length > 20);
  for (const file of files) {
    const plain = await fetchRaw(`static/${file}`);
    assert.equal(plain.status, 200, file);
    assert.equal(plain.headers["content-encoding"], undefined, file);
    assert.ok(plain.body.equals(contentOf(file)), `${file} is sent as something else`);
    const packed = await fetchRaw(`static/${file}`, GZIP);
    assert.equal(packed.headers["content-encoding"], "gzip", file);
    assert.equal(packed.headers.vary, "Accept-Encoding", file);
    assert.equal(Number(packed.headers["content-length"]), packed.body.length, file);
    assert.ok(
      gunzipSync(packed.body).equals(contentOf(file)),
      `${file} is packed as something else`,
    );
    assert.equal(
      (await fetchRaw(`static/${file}`, { ...GZIP, "if-none-match": packed.headers.etag })).status,
      304,
      file,
    );
  }
});

test("the page is sent byte for byte, but for its way back to the root", async () => {
  const html = contentOf("index.html").toString();
  for (const [path, base] of [
    ["", "./"],
    ["logs", "./"],
    ["logs/", "../"],
    ["logs/c.log", "../"],
    ["logs/a/b.log", "../../"],
    [`logs/${DEEP}`, "../".repeat(10)],
  ]) {
    const expected = html.replace('<base href="./" />', `<base href="${base}" />`);
    assert.equal((await fetchRaw(path, HTML)).body.toString(), expected, path);
    const packed = await fetchRaw(path, { ...HTML, ...GZIP });
    assert.equal(packed.headers["content-encoding"], "gzip", path);
    assert.equal(packed.headers.vary, "Accept, Accept-Encoding", path);
    assert.equal(gunzipSync(packed.body).toString(), expected, path);
  }
});

test("all of the page is at most 64 KB on the wire", async (t) => {
  const answers = [await fetchRaw("", { ...HTML, ...GZIP })];
  for (const file of files) answers.push(await fetchRaw(`static/${file}`, GZIP));
  const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);
  const bytes = sum(answers.map(({ body }) => body.length));
  t.diagnostic(
    `${answers.length} answers, ${bytes} bytes, and ${sum(answers.map(({ nHeaderBytes }) => nHeaderBytes))} of headers`,
  );
  assert.ok(bytes <= MAX_BYTES, `${bytes} bytes`);
});
