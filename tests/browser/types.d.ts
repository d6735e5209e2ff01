/** Words that several of the page's modules share. They stand here, as the browser has no use for them. */

type Line = import("../../static/model/line.js").Line;
type LineStore = import("../../static/model/line-store.js").LineStore;
type LogModel = import("../../static/model/log-model.js").LogModel;
type LogView = import("../../static/list/log-view.js").LogView;

// What the server sends (`src/wire/record.rs`).

interface LineRecord {
  source: string;
  /** The place just after the line, of its own source. */
  cursor: string;
  /** RFC 3339, where the line tells it. */
  time?: string;
  level?: string;
  line: string;
  /** The line goes on in the next record. */
  partial?: boolean;
}

interface EventRecord {
  event: "start" | "heartbeat" | "gap" | "rotated" | "unreadable" | "end";
  source?: string;
  /** Of all sources, joined by `~`; none where the stream cannot be resumed. */
  cursor?: string;
  sources?: string[];
  resumable?: boolean;
  size?: number;
  modified?: string | null;
  behind?: number;
  bytes?: number;
  reason?: string;
  how?: string;
}

/** Older lines. `start`: the place before them; `begin`: there are no others before. */
interface Page {
  lines: LineRecord[];
  start?: string;
  begin?: boolean;
}

interface SourceStatus {
  name: string;
  size: number;
  modified: string | null;
  /** When it was last seen changing. */
  at?: number;
}

// A stream and who looks at it.

/** Who takes what a stream brings. */
interface Sink {
  lines(records: LineRecord[], start?: string): void;
  event(record: EventRecord): void;
  /** At most once after an `open` that has resolved. */
  closed(error: Error): void;
}

interface Transport {
  label: string;
  open(url: URL): Promise<void>;
  /** Drops what is on its way and goes on elsewhere. */
  restart(url: URL): Promise<void>;
  pause(isPaused: boolean): void;
  /** None: by HTTP. */
  older: ((source: string, before: string, lines: number) => Promise<Page>) | null;
  close(): void;
}

interface State {
  kind: "connecting" | "open" | "waiting" | "ended";
  reason: string;
  retryAt: number;
}

/** Who uses a connection. */
interface Client {
  /** Where the stream has to begin, and what passes. */
  query(): Record<string, string>;
  lines(records: LineRecord[], start?: string): void;
  event(record: EventRecord): void;
  stateChanged(state: State): void;
}

interface Filter {
  grep: string;
  exclude: string;
  level: string;
}

type Position = { tail?: string; since?: string; from?: string };

/** A line, and how far from the top of the view it shall be; less than 0: a third. */
interface Target {
  cursor: string;
  offset: number;
}

/** Who shows a model. */
interface Delegate {
  linesChanged(): void;
  linesReplaced(target: Target | null): void;
  stateChanged(): void;
}

/** What is looked for: in words, as a test here, and as a query for the server. */
interface Wanted {
  what: string;
  test(line: Line): boolean;
  query: Record<string, string>;
}

// How lines look.

interface Style {
  /** Names of CSS classes. */
  classes: string;
  /** `#rrggbb`, or empty. */
  fg: string;
  bg: string;
}

interface Mark {
  start: number;
  end: number;
  kind: string;
  style?: Style;
  href?: string;
}

interface Part {
  text: string;
  classes: string;
  style?: Style;
  href?: string;
}

interface Fields {
  message: string;
  fields: [string, any][];
}

interface Look {
  highlight: RegExp | null;
  time: Settings["time"];
  isWrapped: boolean;
  marks: import("../../static/model/marks.js").Marks;
}

/** The page around a pane. */
interface Host {
  look: Look;
  stateChanged(): void;
  say(text: string): void;
  toggleMark(line: Line): void;
  closePane(view: LogView): void;
}

/** How a source is opened. */
type How = "open" | "split" | "merge";

/** What a browser remembers. */
interface Settings {
  theme: "system" | "light" | "dark";
  isWrapped: boolean;
  time: "local" | "utc" | "relative" | "written";
}
