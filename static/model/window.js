// Window: a log has no end, and a pane keeps what is near the eye. What is far from it is let go
// of, and fetched again when the eye comes near.

const MAX_LINES = 20_000;
const MAX_CHARS = 24 << 20;
/** So many lines below the eye are enough, so many too few. */
const MOST_BELOW = 10_000;
const LEAST_BELOW = 3000;
const LEAST_ABOVE = 400;
/** A stream of more sources than this begins at its end again. */
const MAX_PLACES = 100;

/**
 * So many lines lie outside the view: more are fetched, or let go of.
 * @param {LogModel} model
 * @param {number} nAbove
 * @param {number} nBelow
 */
export function maintainWindow(model, nAbove, nBelow) {
  if (model.isReplacing) return;
  const { backfill, connection } = model;
  trim(model, nAbove, nBelow);
  if (model.isFollowing || nBelow < LEAST_BELOW) {
    if (model.isDetached) attach(model);
    else connection.pause(false);
  } else if (nBelow > MOST_BELOW) connection.pause(true);
  const isNearTop = !model.isFollowing && nAbove < LEAST_ABOVE;
  if (isNearTop && !backfill.isAtBegin && !backfill.error) void model.loadOlder();
}

/** The stream goes on where the lines end. @param {LogModel} model */
function attach(model) {
  model.isDetached = false;
  const n = model.store.resumePlaces.length;
  if (n > MAX_PLACES || !n) void model.openTail();
  else model.connection.restart().catch(model.openTail);
}

/** @param {LogModel} model @param {number} nAbove @param {number} nBelow */
function trim(model, nAbove, nBelow) {
  const { backfill, connection, isFollowing, store } = model;
  const excess = excessOf(store);
  if (excess <= 0) return;
  if (isFollowing || nAbove > nBelow) {
    store.trimTop(Math.min(excess + 1000, isFollowing ? store.lines.length : nAbove));
    backfill.forget();
  } else {
    store.trimBottom(Math.min(excess, nBelow));
    model.isDetached = true;
    model.unread = null;
    connection.pause(true);
  }
}

/** @param {LineStore} store */
function excessOf({ lines: { length }, nChars }) {
  const tooLong = nChars > MAX_CHARS && length > 200 ? length >> 2 : 0;
  return Math.max(length - MAX_LINES, tooLong);
}
