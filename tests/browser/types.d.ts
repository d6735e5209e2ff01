/** Words that several of the page's modules share. */

/** How a source is opened. */
type How = "open" | "split" | "merge";

/** What a browser remembers. */
interface Settings {
	theme: "system" | "light" | "dark";
	isWrapped: boolean;
	time: "local" | "utc" | "relative" | "written";
	isLarge: boolean;
}

/** A source as the list has it. */
interface SourceStatus {
	name: string;
	size: number;
	modified: string | null;
	/** When it was last seen changing, and whether it came while the page was open. */
	at?: number;
	isNew?: boolean;
}

type Line = import("../../static/model/line.js").Line;
type LogModel = import("../../static/model/log-model.js").LogModel;
type Filter = import("../../static/protocol.js").Filter;
type Wanted = import("../../static/model/finder.js").Wanted;
type Look = import("../../static/list/row.js").Look & { isWrapped: boolean };
