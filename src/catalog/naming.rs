//! The names of sources. They follow from the configuration and from where a file is below a
//! configured folder, never from which other files exist.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path};

use crate::catalog::skipped::SkipReason;
use crate::source::SourceName;

/// The last part of each path, with as many parents before it as are needed to distinguish
/// different paths. Equal paths get equal names; `/` has none.
pub(super) fn shortest_distinct(paths: &[&Path]) -> Vec<String> {
    let parts: Vec<Vec<String>> = paths.iter().map(|path| parts_of(path)).collect();
    let mut depths = vec![1; paths.len()];
    loop {
        let names: Vec<String> =
            parts.iter().zip(&depths).map(|(parts, depth)| last_parts(parts, *depth)).collect();
        let mut holders: BTreeMap<&str, BTreeSet<&Path>> = BTreeMap::new();
        for (name, path) in names.iter().zip(paths) {
            holders.entry(name).or_default().insert(path);
        }
        let mut settled = true;
        for ((name, parts), depth) in names.iter().zip(&parts).zip(&mut depths) {
            let clashes = holders.get(name.as_str()).is_some_and(|paths| paths.len() > 1);
            if clashes && *depth < parts.len() {
                *depth += 1;
                settled = false;
            }
        }
        if settled {
            return names;
        }
    }
}

/// The name of the file at `below` a folder whose files have the names `label/…` (or just `…`,
/// if that is empty).
pub(super) fn name_below(label: &str, below: &Path) -> Result<SourceName, SkipReason> {
    let below = below.to_str().ok_or(SkipReason::NameNotUtf8)?;
    checked(&joined(label, below))
}

/// A name that is safe in URLs, logs and terminals.
pub(super) fn checked(name: &str) -> Result<SourceName, SkipReason> {
    if name.contains(char::is_control) {
        return Err(SkipReason::NameHoldsControls);
    }
    Ok(SourceName::from(name))
}

/// `label/below`, without the slash where one of them is empty.
pub(super) fn joined(label: &str, below: &str) -> String {
    let slash = if label.is_empty() || below.is_empty() { "" } else { "/" };
    format!("{label}{slash}{below}")
}

fn parts_of(path: &Path) -> Vec<String> {
    path.components()
        .filter(|part| matches!(part, Component::Normal(_)))
        .map(|part| part.as_os_str().to_string_lossy().into_owned())
        .collect()
}

fn last_parts(parts: &[String], depth: usize) -> String {
    parts.get(parts.len().saturating_sub(depth)..).unwrap_or_default().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(paths: &[&str], expected: &[&str]) {
        let paths: Vec<_> = paths.iter().map(Path::new).collect();
        assert_eq!(shortest_distinct(&paths), expected);
    }

    #[test]
    fn parents_are_added_only_where_names_are_equal() {
        check(&["/var/log/syslog"], &["syslog"]);
        check(&["/a/app.log", "/b/app.log", "/b/x.log"], &["a/app.log", "b/app.log", "x.log"]);
        check(
            &["/a/x/app.log", "/b/x/app.log", "/b/y/app.log"],
            &["a/x/app.log", "b/x/app.log", "y/app.log"],
        );
        check(&["/app.log", "/a/app.log"], &["app.log", "a/app.log"]);
        check(&["/a/x", "/a/x", "/b/x"], &["a/x", "a/x", "b/x"]);
        check(&["/", "/a"], &["", "a"]);
    }

    #[test]
    fn a_name_holds_no_control_characters() {
        assert_eq!(name_below("a", Path::new("b\nc")), Err(SkipReason::NameHoldsControls));
        assert_eq!(name_below("", Path::new("b/c")), Ok(SourceName::from("b/c")));
        assert_eq!(name_below("a", Path::new("b")), Ok(SourceName::from("a/b")));
    }
}
