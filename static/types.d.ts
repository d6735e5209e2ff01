/** Words that several modules share. Only the type checker reads this file: it is not sent. */

type Line = import("./model/line.js").Line;
type LineStore = import("./model/line-store.js").LineStore;
type LogModel = import("./model/log-model.js").LogModel;
type LogView = import("./list/log-view.js").LogView;
type Marking = import("./parts/marking.js").Marking;
type Palette = import("./parts/palette.js").Palette;
type Panes = import("./parts/panes.js").Panes;
type Refusal = import("./protocol.js").Refusal;
type Search = import("./parts/search.js").Search;
type VirtualList = import("./list/virtual-list.js").VirtualList;

// What the server is asked, and what it sends (`src/wire/record.rs`).

/** What is empty is left out. */
type Query = Record<string, string | undefined>;

/** Which lines pass. */
type Filter = { grep: string; exclude: string; level: string };

/** Where a stream begins. */
type Position = { tail?: string; since?: string; from?: string };

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

/** What is between lines. */
interface EventRecord {
  event: "start" | "heartbeat" | "gap" | "rotated" | "unreadable" | "end";
  source?: string;
  /** Of all sources, joined by `~`; none where the stream cannot be resumed. */
  cursor?: string;
  sources?: string[];
  resumable?: boolean;
  /** Of older lines: there are no others before. */
  begin?: boolean;
  size?: number;
  modified?: string | null;
  behind?: number;
  bytes?: number;
  reason?: string;
  how?: string;
}

/** Older lines. `start`: the place before them; `begin`: there are no others before. */
interface LinesPage {
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
  linesReceived(records: LineRecord[], start?: string): void;
  eventReceived(record: EventRecord): void;
  /** At most once after an `open` that has resolved. */
  closed(error: Refusal): void;
}

type FetchOlder = (source: string, before: string, n: number) => Promise<LinesPage>;

interface Transport {
  label: string;
  open(url: URL): Promise<void>;
  /** Drops what is on its way and goes on elsewhere. */
  restart(url: URL): Promise<void>;
  pause(isPaused: boolean): void;
  /** None: by HTTP. */
  older: FetchOlder | null;
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
  query(): Query;
  linesReceived(records: LineRecord[], start?: string): void;
  eventReceived(record: EventRecord): void;
  stateChanged(state: State): void;
}

/** A line to show, and how far from the top of the view; less than 0: a third. */
type Target = { cursor: string; offset: number };

/** A line, and how far from the top of the view it is. */
type Anchor = { line: Line; offset: number };

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
  query: Query;
}

// How lines look.

interface Style {
  /** Names of CSS classes. */
  classes: string;
  /** `#rrggbb`, or empty. */
  fg: string;
  bg: string;
}

/** How a stretch of a text looks. */
interface Mark {
  start: number;
  end: number;
  kind: string;
  style?: Style;
  href?: string;
}

/** A stretch that looks alike. */
interface Part {
  text: string;
  classes: string;
  style?: Style;
  href?: string;
}

/** What a line holds beside its text. */
interface Fields {
  message: string;
  fields: [string, unknown][];
}

type TimeMode = "local" | "utc" | "relative" | "written";

interface Appearance {
  highlight: RegExp | null;
  time: TimeMode;
  isWrapped: boolean;
  marks: import("./model/marks.js").Marks;
}

// The page.

/** What is around a pane. */
interface Host {
  appearance: Appearance;
  stateChanged(): void;
  toast(text: string): void;
  toggleMark(line: Line): void;
  closePane(view: LogView): void;
}

/** How a source is opened. */
type How = "open" | "split" | "merge";

/** What a browser remembers. */
interface Settings {
  theme: "system" | "light" | "dark";
  isWrapped: boolean;
  time: TimeMode;
}
