//! What to serve: the `[[source]]` tables, or the paths of the command line in their place.

use std::env;
use std::path::{self, Path, PathBuf};

use super::SourceSpec;
use super::error::{ConfigError, TAILCAST_TABLE};
use super::layers::Layers;
use super::origin::Origin;
use super::raw::RawSource;

/// Checks the sources and makes their paths absolute: those of the command line and of variables
/// from the current folder, those of the file from the file's folder, as Rocket does with its own.
pub(super) fn checked(
    layers: &Layers,
    raw: &[RawSource],
    paths: &[String],
) -> Result<Vec<SourceSpec>, ConfigError> {
    let here = current_folder()?;
    if !paths.is_empty() {
        let wrong = |path: &String| ConfigError::WrongValue {
            origin: Origin::Flag("PATH".to_owned()),
            found: format!("{path:?}"),
            expected: "the path of a file or directory, or a glob".to_owned(),
        };
        let spec = |path| SourceSpec { name: None, paths: vec![path], olddir: None };
        let specs =
            paths.iter().map(|path| absolute(&here, path).map(spec).ok_or_else(|| wrong(path)));
        return specs.collect();
    }
    let base = match layers.origin(&[TAILCAST_TABLE, "source"]) {
        Origin::File { file, .. } => file.parent().map_or(PathBuf::new(), Path::to_owned),
        Origin::BuiltIn | Origin::Variable { .. } | Origin::Flag(_) => PathBuf::new(),
    };
    let base = here.join(base);
    let mut specs: Vec<SourceSpec> = Vec::with_capacity(raw.len());
    for (index, source) in raw.iter().enumerate() {
        let number = index.to_string();
        let key = [TAILCAST_TABLE, "source", number.as_str(), "name"];
        if !is_source_name(&source.name) {
            return Err(layers.wrong(&key));
        }
        if specs.iter().any(|spec| spec.name.as_ref() == Some(&source.name)) {
            return Err(layers.wrong_unless(&key, "a name that no other source has"));
        }
        specs.push(spec(layers, index, source, &base)?);
    }
    if specs.is_empty() { Err(ConfigError::NoSource) } else { Ok(specs) }
}

fn spec(
    layers: &Layers,
    index: usize,
    source: &RawSource,
    base: &Path,
) -> Result<SourceSpec, ConfigError> {
    let index = index.to_string();
    let key = |key| [TAILCAST_TABLE, "source", index.as_str(), key];
    if source.paths.is_empty() {
        return Err(layers.wrong(&key("paths")));
    }
    if source.olddir.as_ref().is_some_and(|olddir| olddir.as_os_str().is_empty()) {
        return Err(layers.wrong(&key("olddir")));
    }
    let mut paths = Vec::with_capacity(source.paths.len());
    for (number, path) in source.paths.iter().enumerate() {
        let number = number.to_string();
        let wrong = || layers.wrong(&[&key("paths")[..], &[number.as_str()]].concat());
        paths.push(absolute(base, path).ok_or_else(wrong)?);
    }
    Ok(SourceSpec { name: Some(source.name.clone()), paths, olddir: source.olddir.clone() })
}

/// Whether `name` can be the first part of a source's name: it must not need escaping in a URL.
fn is_source_name(name: &str) -> bool {
    let is_part = |part: &str| !matches!(part, "" | "." | "..");
    let is_plain = |char: char| !char.is_control() && !GLOB_CHARACTERS.contains(&char);
    name.split('/').all(is_part) && name.chars().all(is_plain)
}

/// `path` relative to `base`, lexically: neither links nor `..` are resolved. A folder's own name
/// must not turn into a pattern where the path behind it is one. `None` where the path is empty or
/// the folder's name is not UTF-8.
fn absolute(base: &Path, path: &str) -> Option<String> {
    if path.is_empty() {
        return None;
    }
    if Path::new(path).is_absolute() || !path.contains(GLOB_CHARACTERS) {
        let absolute = path::absolute(base.join(path)).ok()?;
        return absolute.into_os_string().into_string().ok();
    }
    let mut pattern = String::new();
    for char in base.to_str()?.chars() {
        if GLOB_CHARACTERS.contains(&char) {
            pattern.extend(['[', char, ']']);
        } else {
            pattern.push(char);
        }
    }
    let absolute = path::absolute(Path::new(&pattern).join(path)).ok()?;
    absolute.into_os_string().into_string().ok()
}

pub(super) fn current_folder() -> Result<PathBuf, ConfigError> {
    env::current_dir()
        .map_err(|source| ConfigError::Read { file: "the current folder".to_owned(), source })
}

const GLOB_CHARACTERS: [char; 6] = ['*', '?', '[', ']', '{', '}'];
