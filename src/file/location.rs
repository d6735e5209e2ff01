//! A location: where the file of a source is or would be, and what may be read there.
//!
//! It says nothing about what is in the file, and holds nothing open.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where a source's files are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The active file: absolute, lexically normalised, not canonical; it need not exist.
    pub path: PathBuf,
    /// Whether rotated siblings of the file's name belong to the source.
    pub siblings: bool,
    /// Where rotated siblings are moved to, beside the file's own folder; absolute.
    pub olddir: Option<PathBuf>,
    /// The configured roots that the file's target has to stay inside; `None` for a path that the
    /// user named, which is followed wherever it points.
    ///
    /// Every root is listed as configured, and as resolved at the start if that differs. Compare
    /// through [`Location::permits`], which resolves the roots again.
    pub confined_to: Option<Arc<[PathBuf]>>,
}

impl Location {
    /// Whether `target` (a canonical path) may be read as this source's file or sibling: it is
    /// inside the configured roots, or the olddir.
    ///
    /// SECURITY: check each file before it is opened: a link may have been created since the scan.
    #[must_use]
    pub fn permits(&self, target: &Path) -> bool {
        let Some(roots) = &self.confined_to else { return true };
        let mut permitted = roots.iter().chain(&self.olddir);
        // The second check matters only if a root resolves differently than at the start.
        permitted.clone().any(|root| target.starts_with(root))
            || permitted.any(|root| target.starts_with(canonical_or_expected(root)))
    }

    /// Follows the links of `path` (the active file or a sibling); `None` where they lead out of
    /// what this source may read.
    pub fn resolve(&self, path: &Path) -> io::Result<Option<PathBuf>> {
        let target = path.canonicalize()?;
        Ok(self.permits(&target).then_some(target))
    }
}

/// The canonical form of `path`; of a path that does not exist yet, the one it will have if it is
/// created without links.
#[must_use]
pub fn canonical_or_expected(path: &Path) -> PathBuf {
    for ancestor in path.ancestors() {
        let Ok(canonical) = ancestor.canonicalize() else { continue };
        return match path.strip_prefix(ancestor) {
            Ok(rest) if rest.as_os_str().is_empty() => canonical,
            Ok(rest) => canonical.join(rest),
            Err(_) => path.to_path_buf(),
        };
    }
    path.to_path_buf()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_missing_path_is_expected_below_its_canonical_ancestor() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().canonicalize().unwrap().join("real");
        std::fs::create_dir(&real).unwrap();
        symlink(&real, folder.path().join("link")).unwrap();
        let expected = canonical_or_expected(&folder.path().join("link/a/b"));
        assert_eq!(expected, real.join("a/b"));
    }

    #[test]
    fn a_confined_location_follows_its_root_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path().canonicalize().unwrap();
        for name in ["one", "two", "out"] {
            std::fs::create_dir(base.join(name)).unwrap();
            std::fs::write(base.join(name).join("app.log"), "x").unwrap();
        }
        symlink(base.join("one"), base.join("logs")).unwrap();
        let location = Location {
            path: base.join("logs/app.log"),
            siblings: true,
            olddir: None,
            confined_to: Some(Arc::from([base.join("logs")])),
        };
        assert_eq!(location.resolve(&location.path).unwrap(), Some(base.join("one/app.log")));
        std::fs::remove_file(base.join("logs")).unwrap();
        symlink(base.join("two"), base.join("logs")).unwrap();
        assert_eq!(location.resolve(&location.path).unwrap(), Some(base.join("two/app.log")));
        assert!(!location.permits(&base.join("out/app.log")));
    }
}
