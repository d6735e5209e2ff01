// The page's modules by themselves, and what holds for all of its files.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const STATIC = join(dirname(fileURLToPath(import.meta.url)), "../../static");
const { parseAnsi, indexed } = await import(`${STATIC}/text/ansi.js`);
const { decorate, isContinuation, FOLD_CHARS } = await import(`${STATIC}/text/decorate.js`);
const { parseFields, parseLogfmt, unwrap } = await import(`${STATIC}/text/fields.js`);
const { formatTime, moment, size, span, plural } = await import(`${STATIC}/text/format.js`);
const { fuzzyFind } = await import(`${STATIC}/parts/fuzzy.js`);
const { toRegExp } = await import(`${STATIC}/text/pattern.js`);
const { showInvisible } = await import(`${STATIC}/text/visible.js`);
const { LineStore } = await import(`${STATIC}/model/line-store.js`);
const { Older } = await import(`${STATIC}/model/older.js`);
const { Line, MAX_LINE_CHARS } = await import(`${STATIC}/model/line.js`);

const files = readdirSync(STATIC, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => join(entry.parentPath ?? entry.path, entry.name));

/** What a module loads, by its place in `static`. */
const importsOf = (file) =>
  [...readFileSync(join(STATIC, file), "utf8").matchAll(/^import [^;]*"(\..+)";$/gm)].map(
    ([, to]) => join(dirname(file), to),
  );
const modules = files.map((file) => relative(STATIC, file)).filter((file) => file.endsWith(".js"));

test("the page asks for all modules at once, and not import by import", () => {
  const html = readFileSync(join(STATIC, "index.html"), "utf8");
  const linked = [...html.matchAll(/"modulepreload" href="static\/([^"]+)"/g)];
  const known = new Set(["theme.js", "viewer.js", ...importsOf("viewer.js")]);
  assert.deepEqual(
    linked.map(([, file]) => file),
    modules.filter((file) => !known.has(file)).sort(),
  );
});

test("modules import only what lies below them", () => {
  const floors = ["text", "protocol.js", "stream", "model", "list", "parts", "viewer.js"];
  const floorOf = (file) => floors.indexOf(file.split("/")[0]);
  for (const file of modules.filter((file) => file !== "theme.js")) {
    for (const other of importsOf(file)) {
      assert.ok(floorOf(other) >= 0 && floorOf(other) <= floorOf(file), `${file} imports ${other}`);
    }
  }
});

test("no file is longer than 200 lines, and no line than 100 columns", () => {
  for (const file of files.filter((file) => !file.endsWith(".svg"))) {
    const lines = readFileSync(file, "utf8").trimEnd().split("\n");
    assert.ok(lines.length <= 200, `${file} has ${lines.length} lines`);
    for (const [i, line] of lines.entries())
      assert.ok([...line].length <= 100, `${file}:${i + 1} has ${[...line].length} columns`);
  }
});

test("nothing makes markup of text", () => {
  for (const file of files) {
    const text = readFileSync(file, "utf8");
    for (const word of [
      "innerHTML",
      "outerHTML",
      "insertAdjacentHTML",
      "document.write",
      "eval(",
      "new Function",
      ' style="',
      " onclick=",
    ]) {
      assert.ok(!text.includes(word), `${file} has ${word}`);
    }
  }
});

test("colours, weights and their ends are taken out of the text", () => {
  const { text, runs } = parseAnsi(
    "a\x1b[1;31mred\x1b[0m b \x1b[38;5;208mo\x1b[39m \x1b[38;2;1;2;3mt\x1b[m \x1b[7minv\x1b[27m\x1b[48:2::9:8:7mbg",
  );
  assert.equal(text, "ared b o t invbg");
  assert.deepEqual(
    runs.map(({ start, end, style }) => [
      text.slice(start, end),
      style.classes,
      style.fg,
      style.bg,
    ]),
    [
      ["red", "bold f1", "", ""],
      ["o", "tinted", "#ff8700", ""],
      ["t", "tinted", "#010203", ""],
      ["inv", "inverse", "", ""],
      ["bg", "", "#ffffff", "#090807"],
    ],
  );
  assert.equal(indexed(16), "#000000");
  assert.equal(indexed(231), "#ffffff");
  assert.equal(indexed(255), "#eeeeee");
});

test("text in the colour of its ground is seen", () => {
  for (const codes of ["30;40", "38;5;255;48;5;255", "8;37;47", "7;30;40"]) {
    const [{ style }] = parseAnsi(`\x1b[${codes}mhidden`).runs;
    assert.notEqual(style.fg, style.bg, codes);
    assert.match(style.fg, /^#(?:000000|ffffff)$/, codes);
  }
});

test("what cannot be seen is shown", () => {
  const shown = (text) => showInvisible(text).text;
  assert.equal(shown("a\0b\x07\x7f"), "a⟨NUL⟩b⟨BEL⟩⟨U+007F⟩");
  assert.equal(shown("x\u202ey\u200bz\ufeff"), "x⟨U+202E⟩y⟨U+200B⟩z⟨U+FEFF⟩");
  assert.equal(shown("\x1b[2K\x1b[1Gover"), "⟨ESC⟩[2K⟨ESC⟩[1Gover");
  assert.equal(
    shown("\x1b]8;;http://e.x\x07t\x1b]8;;\x1b\\"),
    "⟨ESC⟩]8;;http://e.x⟨BEL⟩t⟨ESC⟩]8;;⟨ESC⟩\\",
  );
  assert.equal(shown("progress 1\rprogress 2"), "progress 1⟨CR⟩progress 2");
  assert.equal(shown("tab\tand é 日本 😀 stay"), "tab\tand é 日本 😀 stay");
  assert.equal(shown("\u{e0041}"), "⟨U+E0041⟩");
  assert.equal(showInvisible("\0ab").place(2), 6);
  assert.equal(showInvisible("\u200bab").place(2), 9);
});

test("all text is there after decoration", () => {
  const line = "2026-11-21T10:00:00Z \x1b[31mERROR\x1b[0m see https://a.b/c?d=e. <b>\u202e</b>";
  const { parts } = decorate(line, { isTimed: true, level: "error", highlight: /see http/g });
  assert.equal(
    parts.map(({ text }) => text).join(""),
    "2026-11-21T10:00:00Z ERROR see https://a.b/c?d=e. <b>⟨U+202E⟩</b>",
  );
  const of = (name) =>
    parts
      .filter(({ classes }) => classes.split(" ").includes(name))
      .map(({ text }) => text)
      .join("");
  assert.equal(of("stamp"), "2026-11-21T10:00:00Z ");
  assert.equal(of("hit"), "see http");
  assert.equal(of("f1"), "ERROR");
  assert.equal(
    parts
      .filter(({ href }) => href)
      .map(({ text }) => text)
      .join(""),
    "https://a.b/c?d=e",
  );
  assert.ok(parts.every(({ href }) => !href || href === "https://a.b/c?d=e"));
});

test("only http and https are links", () => {
  const hrefs = decorate(
    "javascript://x%0aalert(1) data:text/html,x file:///etc http://ok.example/ ftp://no",
    {},
  )
    .parts.map(({ href }) => href)
    .filter(Boolean);
  assert.deepEqual(hrefs, ["http://ok.example/"]);
});

test("long lines are folded", () => {
  const { parts, nMore } = decorate("x".repeat(FOLD_CHARS + 500), {});
  assert.equal(parts[0].text.length, FOLD_CHARS);
  assert.equal(nMore, 500);
  assert.equal(decorate("x".repeat(FOLD_CHARS + 500), { isWhole: true }).nMore, 0);
});

test("JSON and logfmt are told apart from text", () => {
  assert.deepEqual(parseFields('{"time":"t","level":"info","msg":"hi","n":1,"o":{"a":null}}'), {
    message: "hi",
    fields: [
      ["level", "info"],
      ["n", 1],
      ["o", { a: null }],
    ],
  });
  assert.deepEqual(parseLogfmt('level=info msg="a \\"b\\"" n=1 e='), [
    ["level", "info"],
    ["msg", 'a "b"'],
    ["n", "1"],
    ["e", ""],
  ]);
  for (const text of [
    "{not json}",
    "a=b",
    "a = b c=d",
    "plain text",
    "see a=1 b=2",
    "a=1 then b=2",
    "[1,2]",
    "{",
  ])
    assert.equal(parseFields(text), null, text);
  assert.equal(
    decorate('{"msg":"hi","n":1,"bad":"\\u202e"}', {})
      .parts.map(({ text }) => text)
      .join(""),
    "hi  n=1  bad=⟨U+202E⟩",
  );
});

test("Docker and CRI are unwrapped", () => {
  assert.equal(
    unwrap('{"log":"hello\\n","stream":"stdout","time":"2026-11-21T10:00:00Z"}'),
    "hello",
  );
  assert.equal(unwrap("2026-11-21T10:00:00.123456789Z stderr F hello"), "hello");
  assert.equal(unwrap('{"log":"mine"}'), '{"log":"mine"}');
});

test("stack traces are known by their lines", () => {
  for (const text of [
    "\tat a.b.C(D.java:1)",
    "Caused by: x.Y: z",
    "java.net.SocketTimeoutException: Read timed out",
    "Traceback (most recent call last):",
    '  File "a.py", line 1',
    "ValueError: no",
    "}",
  ])
    assert.ok(isContinuation(text), text);
  assert.ok(
    isContinuation("Caused by: x: FATAL: no slots left", false) &&
      !isContinuation("  WARN indented", false),
  );
  for (const text of ["GET / 200", "an Error: happened here", "at last"])
    assert.ok(!isContinuation(text), text);
});

test("times, sizes and counts", () => {
  const now = Date.parse("2026-11-21T12:00:00Z");
  assert.equal(formatTime(now - 1500, "utc", now), "11:59:58.500");
  assert.equal(formatTime(now - 864e5, "utc", now), "11-20 12:00:00.000");
  assert.equal(formatTime(now - 400 * 864e5, "utc", now), "2025-10-17 12:00:00.000");
  assert.equal(formatTime(now - 90_000, "relative", now), "1 min ago");
  assert.ok(moment("2026-11-21T12:00:00.0000019Z") > moment("2026-11-21T12:00:00.0000018Z"));
  assert.deepEqual(
    [size(999), size(1000), size(4_234_000), size(0)],
    ["999 B", "1.0 kB", "4.2 MB", "0 B"],
  );
  assert.deepEqual(
    [span(59_000), span(240_000), span(7.2e6), span(2.6e8)],
    ["59 s", "4 min", "2 h", "3 days"],
  );
  assert.deepEqual([plural(1, "line"), plural(12345, "line")], ["1 line", "12,345 lines"]);
});

test("patterns are in smart case, as on the server", () => {
  assert.ok(toRegExp("timeout").test("TimeOut"));
  assert.ok(!toRegExp("Timeout").test("timeout"));
  assert.ok(toRegExp("\\Sx").test("AX"));
  assert.ok(toRegExp("(?i)Abc").test("aBC"));
  assert.equal(toRegExp("("), null);
  assert.equal(toRegExp(""), null);
});

test("a few letters find a source", () => {
  const names = [
    "nginx/access.log",
    "nginx/error.log",
    "shop/api.log",
    "shop/worker.log",
    "accounts/main.log",
  ];
  assert.equal(fuzzyFind("access", names, 5)[0], "nginx/access.log");
  assert.equal(fuzzyFind("swl", names, 5)[0], "shop/worker.log");
  assert.deepEqual(fuzzyFind("zzz", names, 5), []);
  assert.equal(fuzzyFind("", names, 3).length, 3);
});

const record = (source, n, time, line = `${source} ${n}`) => ({
  source,
  cursor: `${source}@${n}`,
  line,
  ...(time && { time }),
});
const at = (seconds) => new Date(Date.UTC(2026, 10, 21, 10, 0, seconds)).toISOString();
const texts = (store) => store.lines.map(({ text }) => text);
const isWhole = (store) =>
  store.lines.every((line, i) => line.id === store.lines[0].id + i && store.indexOf(line) === i);

test("lines of several sources stand in the order of time, those of one keep theirs", () => {
  const store = new LineStore(true);
  store.append([record("a", 1, at(1)), record("a", 2), record("a", 3, at(5))]);
  store.append([record("b", 1, at(2)), record("b", 2, at(1)), record("b", 3, at(9))]);
  assert.deepEqual(texts(store), ["a 1", "a 2", "b 1", "b 2", "a 3", "b 3"]);
  store.append([record("a", 4, at(6))]);
  assert.deepEqual(texts(store).slice(-2), ["a 4", "b 3"]);
  assert.ok(isWhole(store));
});

test("what is trimmed can be fetched from the places that are left", () => {
  const store = new LineStore(false);
  store.append(
    Array.from({ length: 10 }, (_, i) => record("a", i)),
    "a@start",
  );
  assert.equal(store.places.get("a").first, "a@start");
  store.trimTop(3);
  store.trimBottom(2);
  assert.deepEqual(store.places.get("a"), { first: "a@2", last: "a@7" });
  assert.deepEqual(texts(store), ["a 3", "a 4", "a 5", "a 6", "a 7"]);
  assert.equal(store.placeBefore(store.lines[0]), "a@2");
  assert.equal(store.placeBefore(store.lines[2]), "a@4");
  assert.ok(isWhole(store));
});

test("pieces are joined, in a stream and across pages", () => {
  const store = new LineStore(false);
  store.append([{ ...record("a", 1, "", "one "), partial: true }], "a@0");
  store.append([
    { ...record("a", 2, "", "two "), partial: true },
    record("a", 3, "", "three"),
    record("a", 4),
  ]);
  assert.deepEqual(texts(store), ["one two three", "a 4"]);
  assert.equal(store.lines[0].cursor, "a@3");
  store.prepend(Line.all([record("a", -2), { ...record("a", -1, "", "zero "), partial: true }]));
  assert.deepEqual(texts(store), ["a -2", "zero one two three", "a 4"]);
  const long = new LineStore(false);
  for (let i = 0; i < 5; i++)
    long.append([{ ...record("a", i, "", "x".repeat(MAX_LINE_CHARS / 2)), partial: i < 4 }]);
  assert.equal(long.lines[0].text.length, MAX_LINE_CHARS);
  assert.equal(long.lines[0].nLost, MAX_LINE_CHARS * 1.5);
});

test("a stack trace is grouped, also when its head comes later", () => {
  const store = new LineStore(false);
  store.append([record("a", 3, "", "\tat x"), record("a", 4, "", "\tat y"), record("a", 5, at(9))]);
  store.prepend(Line.all([record("a", 1, at(1)), { ...record("a", 2, at(2)), level: "error" }]));
  assert.equal(store.lines[1].nFollowers, 2);
  assert.equal(store.lines[3].head, store.lines[1]);
  store.append([
    record("a", 6, at(10)),
    record("a", 7, "", '  File "x"'),
    record("a", 8, "", ""),
    record("a", 9, "", "During handling of the above"),
  ]);
  assert.equal(store.lines.at(-4).nFollowers, 3, "an empty line is no end of a trace");
  store.trimBottom(4);
  store.lines[1].isFolded = true;
  assert.deepEqual(
    store.lines.map((line) => line.isHidden),
    [false, false, true, true, false],
  );
  store.trimTop(2);
  assert.deepEqual(
    store.lines.map((line) => line.isHidden),
    [false, false, false],
  );
});

/** A server with the records of each source, which answers at most so many a page. */
const pagesOf = (all, most) => async (source, before, n) => {
  const records = all[source];
  const end =
    before === `${source}@start` ? 0 : records.findIndex(({ cursor }) => cursor === before) + 1;
  const from = Math.max(0, end - Math.min(n, most));
  return {
    lines: records.slice(from, end),
    start: from ? records[from - 1].cursor : `${source}@start`,
    begin: from === 0,
  };
};

test("older pages of several sources come in order, whatever their lengths", async () => {
  const all = {
    a: Array.from({ length: 40 }, (_, i) => record("a", i, at(i * 2))),
    b: Array.from({ length: 90 }, (_, i) => record("b", i, i % 3 ? "" : at(i))),
    c: [record("c", 0, at(1))],
  };
  for (const [most, knowsPlaces] of [
    [7, true],
    [1000, true],
    [13, false],
  ]) {
    const store = new LineStore(true);
    store.append([record("a", 40, at(200)), record("b", 90, at(201)), record("c", 1, at(202))]);
    if (knowsPlaces)
      for (const [source, records] of Object.entries(all))
        store.placesOf(source).first = records.at(-1).cursor;
    const shown = {
      a: record("a", 40, at(200)),
      b: record("b", 90, at(201)),
      c: record("c", 1, at(202)),
    };
    const whole = Object.fromEntries(
      Object.entries(all).map(([source, records]) => [source, [...records, shown[source]]]),
    );
    const older = new Older(store, pagesOf(knowsPlaces ? all : whole, most));
    for (let i = 0; i < 100 && (await older.load(() => true)); i++);
    for (const source of Object.keys(all)) {
      const own = store.lines.filter((line) => line.source === source).map(({ cursor }) => cursor);
      assert.deepEqual(
        own,
        whole[source].map(({ cursor }) => cursor),
        `${source} ${most}`,
      );
    }
    const orders = store.lines.map((line) => line.order);
    assert.deepEqual(
      orders,
      orders.toSorted((x, y) => x - y),
      `pages of ${most}`,
    );
    assert.ok(isWhole(store));
  }
});
