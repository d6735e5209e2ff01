//! Names near to one that does not exist: what a request may have meant.

use std::cmp::Ordering;

use crate::source::SourceName;

/// Up to three of `names` similar to `requested`, the most similar first; only those that `accept`
/// allows, so that no name leaks to a client that may not read it.
pub(super) fn suggest<'a>(
    names: impl Iterator<Item = &'a SourceName>,
    requested: &str,
    accept: impl Fn(&SourceName) -> bool,
) -> Vec<SourceName> {
    // The cost grows with the length, and any client may request this.
    if requested.len() > LONGEST_BYTES {
        return Vec::new();
    }
    let requested = requested.to_lowercase();
    let mut hits: Vec<(f64, &SourceName)> = names
        .map(|name| (similarity_to(&requested, &name.as_str().to_lowercase()), name))
        .filter(|(score, name)| *score >= NEAR && accept(name))
        .collect();
    hits.sort_by(|(a, name_a), (b, name_b)| {
        b.partial_cmp(a).unwrap_or(Ordering::Equal).then_with(|| name_a.cmp(name_b))
    });
    hits.into_iter().take(AT_MOST).map(|(_, name)| name.clone()).collect()
}

/// From 0 to 1: the best of the similarity of the whole names, of their last parts, and of one
/// containing the other.
fn similarity_to(requested: &str, name: &str) -> f64 {
    let parts = similarity(last_part(requested), last_part(name)) * 0.95;
    similarity(requested, name).max(parts).max(containment(requested, name))
}

/// One minus the share of letters that differ, two swapped ones being one difference.
fn similarity(a: &str, b: &str) -> f64 {
    let (shorter, longer) = ordered(a.chars().count(), b.chars().count());
    // Skips the comparison where the lengths alone rule it out.
    if share(shorter, longer) < NEAR {
        0.0
    } else {
        1.0 - share(strsim::osa_distance(a, b), longer)
    }
}

fn containment(requested: &str, name: &str) -> f64 {
    let (shorter, longer) = ordered(requested.len(), name.len());
    let is_held = shorter >= 2 && (name.contains(requested) || requested.contains(name));
    if is_held { 0.7 + 0.25 * share(shorter, longer) } else { 0.0 }
}

fn ordered(a: usize, b: usize) -> (usize, usize) {
    (a.min(b), a.max(b))
}

fn share(part: usize, whole: usize) -> f64 {
    let exact = |count: usize| u32::try_from(count).map_or(f64::MAX, f64::from);
    if whole == 0 { 1.0 } else { exact(part) / exact(whole) }
}

fn last_part(name: &str) -> &str {
    name.rsplit_once('/').map_or(name, |(_, last)| last)
}

const NEAR: f64 = 0.6;
const AT_MOST: usize = 3;
const LONGEST_BYTES: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(requested: &str, expected: &[&str]) {
        let names = ["app.log", "db/postgres.log", "nginx/access.log", "nginx/error.log", "x"];
        let names = names.map(SourceName::from);
        let found = suggest(names.iter(), requested, |name| name.as_str() != "x");
        assert_eq!(found.iter().map(SourceName::as_str).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn near_names_are_told_the_nearest_first() {
        check("nginx/acces.log", &["nginx/access.log", "nginx/error.log"]);
        check("acess.log", &["nginx/access.log"]);
        check("App.log", &["app.log"]);
        check("apl.pog", &["app.log"]);
        check("postgres", &["db/postgres.log"]);
        check("/var/log/nginx/error.log", &["nginx/error.log"]);
        check("x", &[]);
        check("", &[]);
        check("something quite different", &[]);
        check(&"a".repeat(10_000), &[]);
    }
}
