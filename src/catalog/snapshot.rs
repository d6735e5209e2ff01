//! A snapshot: the catalog at one moment, which does not change while it is in use.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::catalog::pattern::SourcePattern;
use crate::catalog::skipped::SkippedEntry;
use crate::catalog::suggest;
use crate::source::SourceName;

/// The catalog at one moment.
pub struct Snapshot<S: ?Sized> {
    /// Every source, sorted by name.
    pub sources: BTreeMap<SourceName, Arc<S>>,
    /// Entries that were found but are not served, sorted by name.
    pub skipped: Vec<SkippedEntry>,
}

impl<S: ?Sized> Snapshot<S> {
    /// The source of exactly this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Arc<S>> {
        self.sources.get(&SourceName::from(name)).map(Arc::clone)
    }

    /// The sources whose names fit a pattern, sorted by name.
    #[must_use]
    pub fn matching(&self, pattern: &SourcePattern) -> Vec<Arc<S>> {
        let fits = |name: &SourceName| pattern.matches(name.as_str());
        self.sources.iter().filter(|(name, _)| fits(name)).map(|(_, s)| Arc::clone(s)).collect()
    }

    /// Up to three names similar to one that does not exist, of those that `accept` allows.
    pub fn suggest(&self, name: &str, accept: impl Fn(&SourceName) -> bool) -> Vec<SourceName> {
        suggest::suggest(self.sources.keys(), name, accept)
    }

    /// Whether two snapshots hold the same sources (the very same objects) and skipped the same
    /// entries.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.skipped == other.skipped
            && self.sources.len() == other.sources.len()
            && self.sources.iter().zip(&other.sources).all(|((name, source), (other, object))| {
                name == other && Arc::ptr_eq(source, object)
            })
    }
}

impl<S: ?Sized> Default for Snapshot<S> {
    fn default() -> Self {
        Self { sources: BTreeMap::new(), skipped: Vec::new() }
    }
}

impl<S: ?Sized> fmt::Debug for Snapshot<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.sources.keys().map(SourceName::as_str).collect();
        f.debug_struct("Snapshot").field("sources", &names).field("skipped", &self.skipped).finish()
    }
}
