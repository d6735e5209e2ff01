//! The shop: visits and chores at a pace that changes, interrupted by incidents.

use std::collections::BTreeSet;

use super::dice::Dice;
use super::entry::{LogEntry, Severity, worker};
use super::incident::{Incident, IncidentPhase};
use super::visit::{Moment, visit};
use super::words::CHORES;

/// A made-up shop that produces the entries of its logs in the order of time.
#[derive(Debug)]
pub(super) struct Shop {
    dice: Dice,
    /// Where the live part begins, in milliseconds since 1970.
    start: i64,
    /// The next moment at which something happens, likewise.
    next_step: i64,
    /// Entries that have been thought out and whose time has not come.
    pending: BTreeSet<LogEntry>,
    phase: IncidentPhase,
    /// How many of the incident's warnings were given.
    warned: usize,
    mood: Mood,
    /// When the mood changes.
    mood_ends: i64,
}

/// How busy the shop is.
#[derive(Debug, Clone, Copy, Default)]
enum Mood {
    Lull,
    #[default]
    Steady,
    Rush,
}

const MOODS: &[Mood] = &[Mood::Lull, Mood::Steady, Mood::Steady, Mood::Rush];

impl Shop {
    /// A shop whose past ends and whose live part begins at `start`, in milliseconds since 1970.
    pub(super) fn new(start: i64) -> Self {
        Self {
            dice: Dice::new(SEED),
            start,
            next_step: start - PAST,
            pending: BTreeSet::new(),
            phase: IncidentPhase::Calm,
            warned: 0,
            mood: Mood::Steady,
            mood_ends: start,
        }
    }

    /// When the next entry is due; the entry itself is the next from [`Shop::take`].
    pub(super) fn next_at(&mut self) -> i64 {
        loop {
            match self.pending.first() {
                // What a step adds is never before the step.
                Some(entry) if entry.at <= self.next_step => return entry.at,
                Some(_) | None => self.step(),
            }
        }
    }

    /// The next entry.
    pub(super) fn take(&mut self) -> Option<LogEntry> {
        self.next_at();
        self.pending.pop_first()
    }

    /// Lets the time up to `now` pass unseen, for a host that slept.
    pub(super) fn skip_to(&mut self, now: i64) {
        self.pending.retain(|entry| entry.at >= now);
        self.next_step = self.next_step.max(now);
    }

    fn step(&mut self) {
        let at = self.next_step;
        let since_start = at - self.start;
        let (phase, incident) = (IncidentPhase::at(since_start), Incident::at(since_start));
        if phase != self.phase {
            self.phase = phase;
            self.turn(at, incident);
        }
        if phase == IncidentPhase::Rising && self.dice.chance(25) {
            self.warn(at, incident);
        }
        let entries = visit(&mut self.dice, Moment { at, phase, incident });
        self.pending.extend(entries);
        if self.dice.once_in(20) {
            let chore = self.dice.pick(CHORES);
            self.pending.insert(worker(at, Severity::Info, chore));
        }
        if self.dice.once_in(110) {
            let import = progress_bar(&mut self.dice);
            self.pending.insert(worker(at, Severity::Info, &import));
        }
        self.next_step += self.pause(at).max(1);
    }

    /// Tells that an incident has come to its next part.
    fn turn(&mut self, at: i64, incident: &Incident) {
        match self.phase {
            IncidentPhase::Calm => {}
            IncidentPhase::Rising => {
                self.warned = 0;
                self.warn(at, incident);
            }
            IncidentPhase::Failing => {
                let error = self.about_a_request(incident.error);
                self.pending.insert(worker(at, Severity::Error, &error));
            }
            IncidentPhase::Recovering => {
                self.pending.insert(worker(at, Severity::Info, incident.recovery));
            }
        }
    }

    fn warn(&mut self, at: i64, incident: &Incident) {
        if let Some(warning) = incident.warnings.get(self.warned) {
            self.warned += 1;
            let warning = self.about_a_request(warning);
            self.pending.insert(worker(at, Severity::Warn, &warning));
        }
    }

    /// Puts the id of a current request, else an unknown one, into `text`.
    fn about_a_request(&mut self, text: &str) -> String {
        let under_way = self.pending.iter().find_map(|entry| entry.text.rsplit_once("rid="));
        let id = under_way.map(|(_, id)| id.to_owned());
        let id = id.unwrap_or_else(|| format!("{:08x}", self.dice.bits() >> 32));
        text.replace("{req}", &id)
    }

    /// How long nothing happens after the step at `at`.
    fn pause(&mut self, at: i64) -> i64 {
        if at < self.start {
            // The last of the past is just before the live part.
            return self.dice.between(PAST_PAUSE / 2, PAST_PAUSE * 3 / 2).min(self.start - at);
        }
        if at >= self.mood_ends {
            self.mood = self.dice.pick(MOODS);
            self.mood_ends = at + self.dice.between(2_500, 8_000);
        }
        match self.mood {
            Mood::Lull => self.dice.between(500, 1_000),
            Mood::Steady => self.dice.between(220, 520),
            Mood::Rush => self.dice.between(130, 200),
        }
    }
}

/// A line that a terminal would have overwritten again and again.
fn progress_bar(dice: &mut Dice) -> String {
    let articles = dice.between(300, 1_800);
    let steps = (0..=10_usize).map(|tenth| {
        let (done, left) = ("█".repeat(tenth), "░".repeat(10_usize.saturating_sub(tenth)));
        format!("import: {done}{left} {:>3} %", tenth * 10)
    });
    let steps: Vec<_> = steps.collect();
    format!("{} ({articles} articles)", steps.join("\r"))
}

const SEED: u64 = 0x7A11_CA57;
/// How far the past goes back, and how often something happened in it, in milliseconds.
const PAST: i64 = 60 * 60_000;
const PAST_PAUSE: i64 = 18_000;
