//! Tracks: all ways of a viewer through its sources. Their backlogs are shown one after the other;
//! from then on each goes on as its lines come.

use std::sync::Arc;

use crate::chunk::Place;
use crate::filter::Filter;
use crate::follower::track::{Progressed, Shared, Track};
use crate::follower::wait::{self, Moved, Woken};
use crate::line::Zone;
use crate::source::{OpenError, Source, Start};

/// All tracks of a viewer.
#[derive(Debug)]
pub struct Tracks {
    all: Vec<Track>,
    shared: Arc<Shared>,
    /// The track whose backlog is being shown; those after it have not begun.
    beginning: usize,
    follow: bool,
}

impl Tracks {
    /// No tracks yet.
    #[must_use]
    pub fn new(filter: Filter, zone: Arc<Zone>, follow: bool) -> Self {
        let shared = Arc::new(Shared { filter: Arc::new(filter), zone });
        Tracks { all: Vec::new(), shared, beginning: 0, follow }
    }

    /// Opens a source as the next track and returns its number. Takes part in the live end first,
    /// then looks at the history: what is written in between is in both, not in neither.
    pub async fn open(
        &mut self,
        source: Arc<dyn Source>,
        start: Start,
    ) -> Result<usize, OpenError> {
        let guard = self.follow.then(|| Arc::clone(&source).subscribe());
        let end = match &guard {
            Some(guard) => wait::live_end(guard).await,
            None => None,
        };
        let filter = Arc::clone(&self.shared.filter);
        let opening = wait::open(Arc::clone(&source), start, filter, end);
        let opened = wait::unless_stalled(Arc::clone(&source), opening).await?;
        let number = self.all.len();
        self.all.push(Track::new(number, source, guard, opened, Arc::clone(&self.shared)));
        Ok(number)
    }

    /// Begins with the first track; the others follow one after the other.
    pub fn begin(&mut self) -> Option<Woken> {
        self.begin_one(0)
    }

    /// Begins a track.
    pub fn begin_one(&mut self, number: usize) -> Option<Woken> {
        self.all.get_mut(number).and_then(Track::begin)
    }

    /// Goes on with a track.
    pub fn advance(&mut self, moved: Moved) -> Progressed {
        let number = moved.track;
        let Some(track) = self.all.get_mut(number) else { return Progressed::default() };
        let mut progressed = track.advance(moved.cause);
        let is_last_begun = self.beginning == number && number + 1 < self.all.len();
        if is_last_begun && self.all.get(number).is_some_and(Track::has_caught_up) {
            self.beginning += 1;
            progressed.next.extend(self.begin_one(number + 1));
        }
        progressed
    }

    /// All tracks, by number.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Track> {
        self.all.iter()
    }

    /// Notes how far a track was delivered.
    pub fn set_place(&mut self, number: usize, place: Place) {
        if let Some(track) = self.all.get_mut(number) {
            track.set_place(place);
        }
    }

    /// Whether nothing more will come.
    #[must_use]
    pub fn are_done(&self) -> bool {
        self.all.iter().all(Track::is_done)
    }

    /// Whether a read has failed for good.
    #[must_use]
    pub fn have_failed(&self) -> bool {
        self.all.iter().any(Track::has_failed)
    }

    /// Ends each track where it catches up.
    pub fn stop_following(&mut self) {
        self.follow = false;
        self.all.iter_mut().for_each(Track::stop_following);
    }
}
