//! Source events: the list of sources as it changes, for all clients that watch it. Clients with
//! the same permissions share a board: the first of them to come when it is due checks the sources
//! and writes the changes, once; the others send the same bytes. A board lives as long as a client
//! watches it.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::auth::readable::ReadableSources;
use crate::http::access::{CatalogView, SharedView};
use crate::http::admission::AdmissionGuard;
use crate::http::app_state::AppState;
use crate::source::{Source, SourceName, Status};
use crate::wire::record::write_time;

/// The boards that are watched.
#[derive(Debug, Default)]
pub struct Boards {
    all: Mutex<HashMap<ReadableSources, Weak<Board>>>,
    n_issues: Arc<AtomicU64>,
}

/// The list for all clients with the same permissions.
#[derive(Debug)]
pub struct Board {
    shared_view: SharedView,
    state: tokio::sync::Mutex<BoardState>,
    due: Mutex<Instant>,
    n_issues: Arc<AtomicU64>,
}

#[derive(Debug, Default)]
struct BoardState {
    /// The catalog's version at the last check, with the readable sources of it.
    version: Option<u64>,
    sources: Vec<Arc<dyn Source>>,
    issue: Option<Arc<Issue>>,
}

/// The list as of one check, and what had changed.
#[derive(Debug)]
struct Issue {
    number: u64,
    /// The one before it on the same board.
    previous: Option<u64>,
    list: BTreeMap<SourceName, ListedSource>,
    /// What has changed since the one before it, as events.
    changes: Bytes,
    /// All of it as an event.
    whole: OnceLock<Bytes>,
}

#[derive(Clone, Copy, Debug)]
struct ListedSource {
    brief: Brief,
    at: Instant,
}

/// `{"name","size","modified","viewers"}` of a source, without its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Brief {
    size: u64,
    modified: Option<SystemTime>,
    viewers: usize,
}

/// The list as it changes, for one viewer: `event: sources` once, then `added`, `removed` and at most
/// one `changed` a second a source.
#[derive(Debug)]
pub struct Changes {
    app: AppState,
    access: CatalogView,
    /// Grows when rights have changed.
    permissions: tokio::sync::watch::Receiver<u64>,
    versions: tokio::sync::watch::Receiver<u64>,
    board: Option<Arc<Board>>,
    /// The issue that was sent last; `None` before the first.
    listed: Option<Arc<Issue>>,
    last_word: Instant,
    _admission: AdmissionGuard,
}

impl Brief {
    /// The current values of a source.
    #[must_use]
    pub fn of(source: &dyn Source, status: &Status) -> Self {
        let active = status.segments.first();
        Brief {
            size: active.map_or(0, |active| active.size),
            modified: active.and_then(|active| active.modified),
            viewers: source.viewers(),
        }
    }

    /// As a JSON object with the source's name.
    #[must_use]
    pub fn json(&self, name: &SourceName) -> Value {
        json!({
            "name": name.as_str(),
            "size": self.size,
            "modified": time_value(self.modified),
            "viewers": self.viewers,
        })
    }
}

/// A time in the format of records.
#[must_use]
pub fn time_value(time: Option<SystemTime>) -> Value {
    let mut json = Vec::new();
    write_time(time, &mut json);
    serde_json::from_slice(&json).unwrap_or(Value::Null)
}

impl Boards {
    /// The board for clients that see the same.
    fn of(&self, shared_view: SharedView) -> Arc<Board> {
        let mut all = lock(&self.all);
        if let Some(board) = all.get(shared_view.readable()).and_then(Weak::upgrade) {
            return board;
        }
        all.retain(|_, board| board.strong_count() > 0);
        let readable = shared_view.readable().clone();
        let (state, due) = (tokio::sync::Mutex::default(), Mutex::new(Instant::now()));
        let board =
            Arc::new(Board { shared_view, state, due, n_issues: Arc::clone(&self.n_issues) });
        all.insert(readable, Arc::downgrade(&board));
        board
    }
}

impl Board {
    /// When the next check is due.
    fn due(&self) -> Instant {
        *lock(&self.due)
    }

    /// The current list, checked again if that is due or the catalog has changed. Cancel-safe: the
    /// next caller does the check instead.
    async fn look(&self, app: &AppState) -> Arc<Issue> {
        let mut state = self.state.lock().await;
        let version = self.shared_view.version();
        let is_current = state.version == Some(version) && Instant::now() < self.due();
        if let Some(issue) = state.issue.as_ref().filter(|_| is_current) {
            return Arc::clone(issue);
        }
        if state.version != Some(version) {
            state.sources = self.shared_view.sources();
        }
        let statuses = Arc::clone(&app.statuses).of(state.sources.clone()).await;
        state.version = Some(version);
        let now = Instant::now();
        *lock(&self.due) = now + CHANGE_PAUSE;
        let fresh = |(source, status): (Arc<dyn Source>, Status)| {
            let listed = ListedSource { brief: Brief::of(source.as_ref(), &status), at: now };
            (source.name().clone(), listed)
        };
        let list: BTreeMap<_, _> = statuses.into_iter().map(fresh).collect();
        let issue = self.next_issue(state.issue.as_ref(), list, now);
        if issue.previous.is_none() || !issue.changes.is_empty() {
            app.metrics.source_events.inc();
        }
        state.issue = Some(Arc::clone(&issue));
        issue
    }

    /// The issue after `before`; the same one where nothing has changed.
    fn next_issue(
        &self,
        before: Option<&Arc<Issue>>,
        mut list: BTreeMap<SourceName, ListedSource>,
        now: Instant,
    ) -> Arc<Issue> {
        let changes = match before {
            None => Bytes::new(),
            Some(before) => {
                for (name, listed) in &mut list {
                    match before.list.get(name) {
                        Some(known) if known.brief == listed.brief => listed.at = known.at,
                        // A check that the catalog triggered came too early for this source.
                        Some(known) if now - known.at < CHANGE_PAUSE => *listed = *known,
                        Some(_) | None => {}
                    }
                }
                let changes = events_between(&before.list, &list);
                if changes.is_empty() {
                    return Arc::clone(before);
                }
                changes
            }
        };
        let number = self.n_issues.fetch_add(1, Ordering::Relaxed);
        let previous = before.map(|before| before.number);
        Arc::new(Issue { number, previous, list, changes, whole: OnceLock::new() })
    }
}

impl Issue {
    /// All of it, as the first event.
    fn whole(&self) -> Bytes {
        let write = || {
            let list: Vec<_> =
                self.list.iter().map(|(name, listed)| listed.brief.json(name)).collect();
            Bytes::from(event("sources", &json!({"sources": list})))
        };
        self.whole.get_or_init(write).clone()
    }

    /// The events for a client that has received `before`.
    fn after(&self, before: Option<&Issue>) -> Bytes {
        match before {
            None => self.whole(),
            Some(before) if before.number == self.number => Bytes::new(),
            Some(before) if Some(before.number) == self.previous => self.changes.clone(),
            // The client was slow, or its permissions have changed.
            Some(before) => events_between(&before.list, &self.list),
        }
    }
}

impl Changes {
    /// For one viewer.
    #[must_use]
    pub fn new(app: AppState, access: CatalogView, admission: AdmissionGuard) -> Self {
        let (versions, permissions) = (access.changes(), app.auth.changes());
        let last_word = Instant::now();
        let (board, listed) = (None, None);
        Changes {
            app,
            access,
            permissions,
            versions,
            board,
            listed,
            last_word,
            _admission: admission,
        }
    }

    /// The next events; `None` once the server closes or the principal is no longer valid.
    pub async fn next(&mut self) -> Option<Bytes> {
        loop {
            let board = self.find_board()?;
            if self.listed.is_some() {
                self.wait(board.due()).await?;
            }
            let board = self.find_board()?;
            let issue = board.look(&self.app).await;
            if !Arc::ptr_eq(&board, &self.find_board()?) {
                continue;
            }
            let events = issue.after(self.listed.as_deref());
            self.listed = Some(issue);
            if !events.is_empty() {
                self.last_word = Instant::now();
                return Some(events);
            }
            if self.last_word.elapsed() >= self.app.heartbeat {
                self.last_word = Instant::now();
                return Some(Bytes::from_static(b": heartbeat\n\n"));
            }
        }
    }

    /// Waits until there may be something new; `None` once the server closes.
    async fn wait(&mut self, due: Instant) -> Option<()> {
        tokio::select! {
            () = self.app.closing.cancelled() => None,
            changed = self.versions.changed() => changed.ok(),
            changed = self.permissions.changed() => changed.ok(),
            () = tokio::time::sleep_until(due) => Some(()),
        }
    }

    /// The board for the current permissions; `None` if the principal is no longer valid.
    fn find_board(&mut self) -> Option<Arc<Board>> {
        let shared_view = self.access.shared_view()?;
        if let Some(board) =
            self.board.as_ref().filter(|it| it.shared_view.readable() == shared_view.readable())
        {
            return Some(Arc::clone(board));
        }
        let board = self.app.boards.of(shared_view);
        self.board = Some(Arc::clone(&board));
        Some(board)
    }
}

/// The events that lead from one list to another.
fn events_between(
    before: &BTreeMap<SourceName, ListedSource>,
    after: &BTreeMap<SourceName, ListedSource>,
) -> Bytes {
    let mut events = String::new();
    for (name, listed) in after {
        match before.get(name) {
            None => events.push_str(&event("added", &listed.brief.json(name))),
            Some(known) if known.brief == listed.brief => {}
            Some(_) => events.push_str(&event("changed", &listed.brief.json(name))),
        }
    }
    for name in before.keys().filter(|name| !after.contains_key(*name)) {
        events.push_str(&event("removed", &json!({"name": name.as_str()})));
    }
    Bytes::from(events)
}

fn event(name: &str, value: &Value) -> String {
    format!("event: {name}\ndata: {value}\n\n")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A source is reported as changed at most once in this time.
const CHANGE_PAUSE: Duration = Duration::from_secs(1);
