//! Source events: the list of sources as it changes, for all who watch it. Those who may read the same
//! share a board: whoever comes first when it is due looks how the sources stand and writes what has
//! changed, once; the others send the same bytes. A board lives as long as somebody watches it.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::auth::reach::Reach;
use crate::http::access::{CatalogView, Sight};
use crate::http::admission::AdmissionGuard;
use crate::http::app_state::AppState;
use crate::source::{Source, SourceName, Status};
use crate::wire::record::write_time;

/// The boards that are watched.
#[derive(Debug, Default)]
pub struct Boards {
    all: Mutex<HashMap<Reach, Weak<Board>>>,
    n_issues: Arc<AtomicU64>,
}

/// The list for all who may read the same.
#[derive(Debug)]
pub struct Board {
    sight: Sight,
    state: tokio::sync::Mutex<State>,
    due: Mutex<Instant>,
    n_issues: Arc<AtomicU64>,
}

#[derive(Debug, Default)]
struct State {
    /// Of the catalog, and what can be read of it.
    version: Option<u64>,
    sources: Vec<Arc<dyn Source>>,
    issue: Option<Arc<Issue>>,
}

/// The list as it stood at one look, and what had changed.
#[derive(Debug)]
struct Issue {
    number: u64,
    /// The one before it on the same board.
    previous: Option<u64>,
    list: BTreeMap<SourceName, Told>,
    /// What has changed since the one before it, as events.
    changes: Bytes,
    /// All of it as an event.
    whole: OnceLock<Bytes>,
}

#[derive(Clone, Copy, Debug)]
struct Told {
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
    site: AppState,
    access: CatalogView,
    /// Grows when rights have changed.
    rights: tokio::sync::watch::Receiver<u64>,
    versions: tokio::sync::watch::Receiver<u64>,
    board: Option<Arc<Board>>,
    /// What was told; none before the list.
    told: Option<Arc<Issue>>,
    last_word: Instant,
    _place: AdmissionGuard,
}

impl Brief {
    /// How a source stands.
    #[must_use]
    pub fn of(source: &dyn Source, status: &Status) -> Self {
        let active = status.segments.first();
        Brief {
            size: active.map_or(0, |active| active.size),
            modified: active.and_then(|active| active.modified),
            viewers: source.viewers(),
        }
    }

    /// With its name.
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

/// A time as records have it.
#[must_use]
pub fn time_value(time: Option<SystemTime>) -> Value {
    let mut json = Vec::new();
    write_time(time, &mut json);
    serde_json::from_slice(&json).unwrap_or(Value::Null)
}

impl Boards {
    /// The board for a sight.
    fn of(&self, sight: Sight) -> Arc<Board> {
        let mut all = lock(&self.all);
        if let Some(board) = all.get(sight.reach()).and_then(Weak::upgrade) {
            return board;
        }
        all.retain(|_, board| board.strong_count() > 0);
        let reach = sight.reach().clone();
        let (state, due) = (tokio::sync::Mutex::default(), Mutex::new(Instant::now()));
        let board = Arc::new(Board { sight, state, due, n_issues: Arc::clone(&self.n_issues) });
        all.insert(reach, Arc::downgrade(&board));
        board
    }
}

impl Board {
    /// When it is to be looked at next.
    fn due(&self) -> Instant {
        *lock(&self.due)
    }

    /// The list as it stands, looked at anew if that is due or the catalog has changed. Cancel-safe:
    /// whoever comes next looks instead.
    async fn look(&self, site: &AppState) -> Arc<Issue> {
        let mut state = self.state.lock().await;
        let version = self.sight.version();
        let is_current = state.version == Some(version) && Instant::now() < self.due();
        if let Some(issue) = state.issue.as_ref().filter(|_| is_current) {
            return Arc::clone(issue);
        }
        if state.version != Some(version) {
            state.sources = self.sight.sources();
        }
        let statuses = Arc::clone(&site.statuses).of(state.sources.clone()).await;
        state.version = Some(version);
        let now = Instant::now();
        *lock(&self.due) = now + CHANGE_PAUSE;
        let fresh = |(source, status): (Arc<dyn Source>, Status)| {
            let told = Told { brief: Brief::of(source.as_ref(), &status), at: now };
            (source.name().clone(), told)
        };
        let list: BTreeMap<_, _> = statuses.into_iter().map(fresh).collect();
        let issue = self.next_issue(state.issue.as_ref(), list, now);
        if issue.previous.is_none() || !issue.changes.is_empty() {
            site.metrics.source_events.inc();
        }
        state.issue = Some(Arc::clone(&issue));
        issue
    }

    /// The issue after `before`; the same one where nothing has changed.
    fn next_issue(
        &self,
        before: Option<&Arc<Issue>>,
        mut list: BTreeMap<SourceName, Told>,
        now: Instant,
    ) -> Arc<Issue> {
        let changes = match before {
            None => Bytes::new(),
            Some(before) => {
                for (name, told) in &mut list {
                    match before.list.get(name) {
                        Some(known) if known.brief == told.brief => told.at = known.at,
                        // A look that the catalog asked for came too early for this source.
                        Some(known) if now - known.at < CHANGE_PAUSE => *told = *known,
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
            let list: Vec<_> = self.list.iter().map(|(name, told)| told.brief.json(name)).collect();
            Bytes::from(event("sources", &json!({"sources": list})))
        };
        self.whole.get_or_init(write).clone()
    }

    /// What is to be told to who knows `before`.
    fn after(&self, before: Option<&Issue>) -> Bytes {
        match before {
            None => self.whole(),
            Some(before) if before.number == self.number => Bytes::new(),
            Some(before) if Some(before.number) == self.previous => self.changes.clone(),
            // It was slow, or it may read something else by now.
            Some(before) => events_between(&before.list, &self.list),
        }
    }
}

impl Changes {
    /// For one viewer.
    #[must_use]
    pub fn new(site: AppState, access: CatalogView, place: AdmissionGuard) -> Self {
        let (versions, rights) = (access.changes(), site.auth.changes());
        let last_word = Instant::now();
        let (board, told) = (None, None);
        Changes { site, access, rights, versions, board, told, last_word, _place: place }
    }

    /// The next events; none once the server closes or the asker may not come in any more.
    pub async fn next(&mut self) -> Option<Bytes> {
        loop {
            let board = self.find_board()?;
            if self.told.is_some() {
                self.wait(board.due()).await?;
            }
            let board = self.find_board()?;
            let issue = board.look(&self.site).await;
            if !Arc::ptr_eq(&board, &self.find_board()?) {
                continue;
            }
            let events = issue.after(self.told.as_deref());
            self.told = Some(issue);
            if !events.is_empty() {
                self.last_word = Instant::now();
                return Some(events);
            }
            if self.last_word.elapsed() >= self.site.heartbeat {
                self.last_word = Instant::now();
                return Some(Bytes::from_static(b": heartbeat\n\n"));
            }
        }
    }

    /// Waits until there may be something new; none once the server closes.
    async fn wait(&mut self, due: Instant) -> Option<()> {
        tokio::select! {
            () = self.site.closing.cancelled() => None,
            changed = self.versions.changed() => changed.ok(),
            changed = self.rights.changed() => changed.ok(),
            () = tokio::time::sleep_until(due) => Some(()),
        }
    }

    /// The board of what may be read now; none who may not come in any more.
    fn find_board(&mut self) -> Option<Arc<Board>> {
        let sight = self.access.sight()?;
        if let Some(board) = self.board.as_ref().filter(|it| it.sight.reach() == sight.reach()) {
            return Some(Arc::clone(board));
        }
        let board = self.site.boards.of(sight);
        self.board = Some(Arc::clone(&board));
        Some(board)
    }
}

/// What leads from one list to another, as events.
fn events_between(
    before: &BTreeMap<SourceName, Told>,
    after: &BTreeMap<SourceName, Told>,
) -> Bytes {
    let mut events = String::new();
    for (name, told) in after {
        match before.get(name) {
            None => events.push_str(&event("added", &told.brief.json(name))),
            Some(known) if known.brief == told.brief => {}
            Some(_) => events.push_str(&event("changed", &told.brief.json(name))),
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

/// A source is told as changed at most once in this time.
const CHANGE_PAUSE: Duration = Duration::from_secs(1);
