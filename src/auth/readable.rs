//! Readable sources: what a principal may read, as rules and tokens name it. It compares equal for
//! all principals with the same permissions, so that results can be shared between them.

use std::collections::BTreeSet;

use crate::auth::Principal;
use crate::auth::policy::{Policy, SourceGlob};

/// Which sources may be read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ReadableSources {
    /// All.
    All,
    /// Those that match one of these names or globs.
    Named(BTreeSet<String>),
}

impl ReadableSources {
    /// A predicate for names that may be read.
    pub fn matcher(&self) -> impl Fn(&str) -> bool + use<> {
        let globs = match self {
            Self::All => None,
            // SECURITY: a glob that does not parse matches nothing; the policy refuses it when it
            // loads.
            Self::Named(texts) => Some(
                texts.iter().filter_map(|text| SourceGlob::parse(text).ok()).collect::<Vec<_>>(),
            ),
        };
        move |name| match &globs {
            None => true,
            Some(globs) => globs.iter().any(|glob| glob.matches(name)),
        }
    }
}

impl Policy {
    /// What a principal may read; `None` if it is not valid.
    #[must_use]
    pub fn readable(&self, principal: &Principal) -> Option<ReadableSources> {
        if !self.admits(principal) {
            return None;
        }
        let own = match principal {
            Principal::Anyone => return Some(ReadableSources::All),
            Principal::User(_) if self.has_no_rules() => return Some(ReadableSources::All),
            Principal::User(_) => &[],
            Principal::Token { id, .. } => self.token(id).map_or(&[][..], |token| &token.sources),
        };
        Some(ReadableSources::Named(self.globs_of(principal).chain(own).cloned().collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::ReadableSources;

    #[test]
    fn a_reach_matches_what_it_names() {
        let named = ReadableSources::Named(["app.log", "web/*"].map(str::to_owned).into());
        let matches = named.matcher();
        assert!(matches("app.log") && matches("web/a"));
        assert!(!matches("db.log") && !matches("web/a/b"));
        assert!(ReadableSources::All.matcher()("anything"));
        assert!(!ReadableSources::Named([].into()).matcher()("anything"));
    }
}
