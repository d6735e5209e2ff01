// @ts-check
// The page: a list of the sources, and the log that the path names, followed by EventSource, which
// resumes by itself. Log text is only ever text.

const MAX_ROWS = 2000;
const log = /** @type {HTMLElement} */ (document.getElementById("log"));
const status = /** @type {HTMLOutputElement} */ (document.getElementById("status"));
const base = new URL(document.baseURI).pathname;
const path = location.pathname.slice(base.length);
const name = path.startsWith("logs/") ? path.slice("logs/".length) : "";

/** @param {string} text @param {string} kind */
function addRow(text, kind) {
  const isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  const row = document.createElement("div");
  row.className = kind;
  row.textContent = text.replace(/\u001b\[[0-9;]*m/g, "");
  log.append(row);
  if (!isAtEnd) return;
  while (log.childElementCount > MAX_ROWS) log.firstElementChild?.remove();
  log.scrollTop = log.scrollHeight;
}

function follow() {
  const url = new URL(`logs/${name}`, document.baseURI);
  url.search = location.search;
  if (!url.searchParams.has("tail")) url.searchParams.set("tail", "200");
  url.searchParams.set("format", "sse");
  const events = new EventSource(url);
  events.onopen = () => { status.value = "live"; };
  events.onerror = () => {
    status.value = events.readyState === EventSource.CLOSED ? "ended" : "reconnecting";
  };
  events.onmessage = (event) => {
    const record = JSON.parse(event.data);
    addRow(record.line, record.level ?? "");
  };
  events.addEventListener("gap", (event) => {
    const gap = JSON.parse(event.data);
    addRow(`gap of ${gap.bytes} bytes (${gap.reason})`, "note");
  });
  events.addEventListener("rotated", (event) => {
    addRow(`rotated (${JSON.parse(event.data).how})`, "note");
  });
  events.addEventListener("heartbeat", () => { status.value = "live, quiet"; });
}

async function listSources() {
  const answer = await fetch(new URL("api/sources", document.baseURI));
  const { sources } = await answer.json();
  const nav = /** @type {HTMLElement} */ (document.getElementById("sources"));
  for (const source of sources) {
    const link = document.createElement("a");
    link.href = `logs/${source.name.split("/").map(encodeURIComponent).join("/")}`;
    link.textContent = source.name;
    nav.append(link);
  }
}

listSources();
if (name) {
  const heading = /** @type {HTMLElement} */ (document.getElementById("name"));
  heading.textContent = document.title = decodeURIComponent(name);
  follow();
}
