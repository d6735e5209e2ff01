//! Roots: what the configuration names (a file, a directory, a glob), and the names of what is
//! below them. Decided once, when the server starts; nothing here changes while it runs.

use std::ffi::OsStr;
use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::catalog::naming;
use crate::catalog::pattern;
use crate::catalog::skipped::{SkipReason, SkippedEntry};
use crate::config::SourceSpec;
use crate::glob::{Glob, GlobError};

/// One configured path.
#[derive(Clone, Debug)]
pub(super) struct Root {
    /// The file, the directory, or the longest prefix of the glob without glob characters:
    /// absolute and lexically normalised.
    pub(super) path: PathBuf,
    pub(super) kind: RootKind,
    /// A file's name, or what stands before the names of the files below (nothing, if empty).
    pub(super) label: String,
    /// The index of the configured source that it belongs to.
    pub(super) spec: usize,
    /// As configured; a relative one starts at the folder of each log.
    pub(super) olddir: Option<PathBuf>,
    /// For a path that does not exist yet, and is taken for a file until it does: its label if it
    /// becomes a directory.
    pub(super) label_as_directory: Option<String>,
}

#[derive(Clone, Debug)]
pub(super) enum RootKind {
    File,
    Directory,
    Glob(PathGlob),
}

impl Root {
    /// Whether a file at `path` would be a source of this root.
    pub(super) fn covers(&self, path: &Path) -> bool {
        match &self.kind {
            RootKind::File => path == self.path,
            RootKind::Directory => path.starts_with(&self.path),
            RootKind::Glob(glob) => {
                path.strip_prefix(&self.path).is_ok_and(|below| glob.whole.is_match(below))
            }
        }
    }

    /// Whether files below the directory `path` could be sources of this root.
    pub(super) fn may_hold(&self, path: &Path) -> bool {
        let Ok(below) = path.strip_prefix(&self.path) else { return false };
        match &self.kind {
            RootKind::File => false,
            RootKind::Directory => true,
            RootKind::Glob(glob) => glob.may_hold(below),
        }
    }

    /// Whether a dot-file is included: a part of the glob that itself begins with a dot matches it.
    /// A path that the user wrote out is always included.
    pub(super) fn means_hidden(&self, name: &OsStr) -> bool {
        match &self.kind {
            RootKind::File | RootKind::Directory => false,
            RootKind::Glob(glob) => glob.dotted.iter().any(|dotted| dotted.is_match(name)),
        }
    }

    /// The name for a skipped entry at `path`.
    pub(super) fn shown_name(&self, path: &Path) -> String {
        let below = path.strip_prefix(&self.path).unwrap_or(path).to_string_lossy();
        match naming::joined(&self.label, &below) {
            name if name.is_empty() => path.to_string_lossy().into_owned(),
            name => name,
        }
    }

    /// Checks whether a path exists by now that did not before; its kind is then fixed.
    pub(super) fn settle(&mut self) {
        if self.label_as_directory.is_none() {
            return;
        }
        let Ok(found) = fs::metadata(&self.path) else { return };
        let Some(label) = self.label_as_directory.take() else { return };
        if found.is_dir() {
            (self.kind, self.label) = (RootKind::Directory, label);
        }
    }

    pub(super) fn is_file(&self) -> bool {
        matches!(self.kind, RootKind::File)
    }

    /// The directory that is scanned: the root itself, or that of a single file.
    pub(super) fn place(&self) -> &Path {
        let parent = if self.is_file() { self.path.parent() } else { None };
        parent.unwrap_or(&self.path)
    }

    /// The folder that rotated siblings of logs in `directory` are moved to.
    pub(super) fn olddir_of(&self, directory: &Path) -> Option<PathBuf> {
        Some(normalised(&directory.join(self.olddir.as_ref()?)))
    }
}

/// A glob, relative to its root.
#[derive(Clone, Debug)]
pub(super) struct PathGlob {
    whole: Glob,
    /// The patterns for the directories at each depth.
    levels: Vec<Glob>,
    /// Whether deeper directories may hold matches.
    is_deep: bool,
    /// Its parts that begin with a dot.
    dotted: Vec<Glob>,
}

impl PathGlob {
    fn parse(pattern: &str) -> Result<Self, GlobError> {
        // A glob that ends in `/` names directories, and a directory means everything in it.
        let pattern =
            if pattern.ends_with('/') { format!("{pattern}**") } else { pattern.to_owned() };
        let whole = Glob::compile(&pattern)?;
        let parts: Vec<_> = pattern.split('/').collect();
        let dotted = parts.iter().filter(|part| part.starts_with('.'));
        // A part that is no glob by itself is one side of a brace with a slash in it.
        let dotted: Vec<Glob> = dotted.filter_map(|part| Glob::compile(part).ok()).collect();
        let mut levels = Vec::new();
        for depth in 1..parts.len() {
            let head = parts.get(..depth).unwrap_or_default().join("/");
            // A part that is no glob by itself is one side of a brace or bracket with a slash in it.
            let level = Glob::compile(&head).ok().filter(|_| !head.contains("**"));
            let Some(level) = level else {
                return Ok(Self { whole, levels, is_deep: true, dotted });
            };
            levels.push(level);
        }
        Ok(Self { whole, levels, is_deep: pattern.contains("**"), dotted })
    }

    fn may_hold(&self, directory: &Path) -> bool {
        match directory.components().count().checked_sub(1) {
            None => true,
            Some(level) => {
                self.levels.get(level).map_or(self.is_deep, |glob| glob.is_match(directory))
            }
        }
    }
}

/// Reads the configuration: the roots in their order, and the invalid paths.
pub(super) fn plan(specs: &[SourceSpec]) -> (Vec<Root>, Vec<SkippedEntry>) {
    let (mut roots, mut skipped) = (Vec::new(), Vec::new());
    for (spec, configured) in specs.iter().enumerate() {
        for text in &configured.paths {
            match classify(text) {
                Ok((path, kind)) => {
                    let (label, olddir) = (String::new(), configured.olddir.clone());
                    let is_open = matches!(kind, RootKind::File) && fs::metadata(&path).is_err();
                    let label_as_directory = is_open.then(String::new);
                    roots.push(Root { path, kind, label, spec, olddir, label_as_directory });
                }
                Err(error) => skipped.push(SkippedEntry::new(text, error)),
            }
        }
    }
    label_unnamed(&mut roots, specs);
    for (spec, configured) in specs.iter().enumerate() {
        if let Some(name) = &configured.name {
            label_named(&mut roots, spec, name, configured.paths.len() == 1);
        }
    }
    (roots, skipped)
}

fn classify(text: &str) -> Result<(PathBuf, RootKind), SkipReason> {
    let is_glob = pattern::has_glob_characters(text) && fs::symlink_metadata(text).is_err();
    if !is_glob {
        let path = absolute(text)?;
        let is_directory = text.ends_with('/') || path.is_dir();
        return Ok((path, if is_directory { RootKind::Directory } else { RootKind::File }));
    }
    let first = text.find(pattern::GLOB_CHARACTERS).unwrap_or(text.len());
    let start = text.get(..first).and_then(|head| head.rfind('/')).map_or(0, |slash| slash + 1);
    let (folder, pattern) = text.split_at_checked(start).unwrap_or(("", text));
    let glob = PathGlob::parse(pattern).map_err(|error| SkipReason::BadGlob(error.to_string()))?;
    Ok((absolute(if folder.is_empty() { "." } else { folder })?, RootKind::Glob(glob)))
}

/// Paths of the command line: files by their own names; below one directory the path alone, below
/// several the directory's own name before it.
fn label_unnamed(roots: &mut [Root], specs: &[SourceSpec]) {
    let is_unnamed = |root: &Root| specs.get(root.spec).is_some_and(|spec| spec.name.is_none());
    label_distinctly(roots, |root| is_unnamed(root) && root.is_file());
    let is_directory_like = |root: &Root| is_unnamed(root) && !root.is_file();
    if roots.iter().filter(|root| is_directory_like(root)).count() > 1 {
        label_distinctly(roots, is_directory_like);
    }
    // A path that may become a directory later gets its own name as label if there is, or may be,
    // another directory.
    let may_be_directory =
        |root: &Root| is_unnamed(root) && (!root.is_file() || root.label_as_directory.is_some());
    if roots.iter().filter(|root| may_be_directory(root)).count() > 1 {
        for root in roots.iter_mut() {
            let own = root.label.clone();
            root.label_as_directory.as_mut().into_iter().for_each(|label| label.clone_from(&own));
        }
    }
}

/// A configured source: its name; where it can hold several files, the path below follows.
fn label_named(roots: &mut [Root], spec: usize, name: &str, is_alone: bool) {
    label_distinctly(roots, |root| root.spec == spec && root.is_file() && !is_alone);
    for root in roots.iter_mut().filter(|root| root.spec == spec) {
        root.label = naming::joined(name, &root.label);
        if let Some(label) = &mut root.label_as_directory {
            name.clone_into(label);
        }
    }
}

fn label_distinctly(roots: &mut [Root], is_meant: impl Fn(&Root) -> bool) {
    let paths: Vec<_> =
        roots.iter().filter(|root| is_meant(root)).map(|root| root.path.as_path()).collect();
    let labels = naming::shortest_distinct(&paths);
    for (root, label) in roots.iter_mut().filter(|root| is_meant(root)).zip(labels) {
        root.label = label;
    }
}

fn absolute(text: &str) -> Result<PathBuf, SkipReason> {
    std::path::absolute(text)
        .map(|path| normalised(&path))
        .map_err(|error| SkipReason::Unreadable(error.to_string()))
}

/// Without `.` and `..`, resolved lexically.
fn normalised(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                normal.pop();
            }
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => normal.push(part),
        }
    }
    normal
}

#[cfg(test)]
mod tests;
