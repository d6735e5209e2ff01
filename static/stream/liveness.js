// Liveness: whether the other side is still there, and when to try again. A machine that has slept,
// a page that is seen again and a network that is back wake a connection at once.

export const HEARTBEAT_MS = 10_000;
/** Two heartbeats and a little: nobody is there any more. */
const SILENCE_MS = 25_000;
/** A timer that comes this late has slept. */
const SLEPT_MS = 4000;
const LOOK_MS = 1000;
const MIN_DELAY_MS = 500;
const MAX_DELAY_MS = 30_000;

/**
 * Who is woken.
 * @typedef {object} Sleeper
 * @property {() => void} wake
 * @property {() => void} fellSilent asked once a second from then on
 */

export class Liveness {
  #timer = 0;
  #heardAt = 0;
  #lastLook = Date.now();

  /** @param {Sleeper} sleeper */
  constructor(sleeper) {
    this.sleeper = sleeper;
  }

  start() {
    document.addEventListener("visibilitychange", this.#wake);
    addEventListener("online", this.#wake);
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
  }

  stop() {
    document.removeEventListener("visibilitychange", this.#wake);
    removeEventListener("online", this.#wake);
    clearInterval(this.#timer);
  }

  /** The other side has said something. */
  heard() {
    this.#heardAt = Date.now();
  }

  /** A heartbeat is overdue. */
  get isDoubtful() {
    return Date.now() - this.#heardAt > HEARTBEAT_MS + 1000;
  }

  #look() {
    const now = Date.now();
    const hasSlept = now - this.#lastLook > SLEPT_MS;
    this.#lastLook = now;
    // Timers of hidden pages are slow by themselves.
    if (hasSlept) this.#wake();
    else if (now - this.#heardAt > SILENCE_MS) this.sleeper.fellSilent();
  }

  #wake = () => {
    if (!document.hidden) this.sleeper.wake();
  };
}

/**
 * How long to wait before the next try. Longer after each failure, and at random, so that the pages
 * of a server that was restarted do not all come at once.
 */
export class Backoff {
  #nFailures = 0;

  /** It works again. */
  reset() {
    this.#nFailures = 0;
  }

  /** In ms. @param {number} retryAfter seconds that the server has asked for */
  next(retryAfter) {
    const most = Math.min(MAX_DELAY_MS, MIN_DELAY_MS * 2 ** ++this.#nFailures);
    return Math.max(MIN_DELAY_MS + Math.random() * (most - MIN_DELAY_MS), retryAfter * 1000);
  }
}
