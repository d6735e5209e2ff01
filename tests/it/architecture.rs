//! Holds the import table of `ARCHITECTURE.md`: which module may name which.
//!
//! It reads text, not syntax: macros and block comments could fool it, which is enough among people
//! of good will.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Each top-level module with the modules it may import, in reading order: none names a later one,
/// but for `chunk` and `history`, which are read before what they serve.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("cursor", &[]),
    ("line", &[]),
    ("redact", &["cursor", "line"]),
    ("when", &[]),
    ("glob", &[]),
    ("disk", &[]),
    ("chunk", &["cursor", "line"]),
    ("history", &["chunk"]),
    ("feed", &["chunk", "disk", "history", "metrics"]),
    ("filter", &["chunk", "line"]),
    ("source", &["chunk", "cursor", "disk", "feed", "filter", "history"]),
    ("follower", &["chunk", "cursor", "disk", "feed", "filter", "history", "line", "source"]),
    (
        "file",
        &[
            "chunk", "cursor", "disk", "feed", "filter", "history", "line", "metrics", "redact",
            "source",
        ],
    ),
    ("catalog", &["config", "disk", "file", "glob", "source"]),
    ("auth", &["catalog", "config"]),
    ("wire", &["chunk", "cursor", "filter", "follower", "history", "line", "source"]),
    ("ledger", &["filter", "follower", "history", "metrics"]),
    (
        "websocket",
        &["chunk", "cursor", "filter", "follower", "ledger", "line", "source", "when", "wire"],
    ),
    (
        "http",
        &[
            "auth",
            "catalog",
            "config",
            "cursor",
            "disk",
            "filter",
            "follower",
            "ledger",
            "line",
            "metrics",
            "source",
            "websocket",
            "when",
            "wire",
        ],
    ),
    ("client", &["when"]),
    ("config", &["glob", "when"]),
    ("cli", &["auth", "catalog", "client", "config", "when"]),
    ("follow", &["cli", "client", "shutdown"]),
    ("ls", &["cli", "client", "follow"]),
    ("outside", &["cli", "client"]),
    ("demo", &[]),
    ("metrics", &[]),
    ("shutdown", &[]),
    ("listener", &[]),
    (
        "server",
        &[
            "auth", "catalog", "config", "disk", "feed", "file", "http", "line", "listener",
            "metrics", "redact", "shutdown", "source",
        ],
    ),
    ("check", &["config", "feed", "file", "line", "metrics", "server"]),
];

#[test]
fn modules_import_only_what_the_architecture_allows() {
    let mut violations = Vec::new();
    for (module, allowed) in MAY_IMPORT {
        for file in files_of(module) {
            let text = fs::read_to_string(&file).unwrap();
            for name in imports_in(&text) {
                if name != *module && !allowed.contains(&name.as_str()) {
                    violations.push(format!("{}: `{module}` names `{name}`", file.display()));
                }
            }
        }
    }
    assert!(violations.is_empty(), "{}", violations.join("\n"));
}

#[test]
fn the_table_allows_nothing_that_is_not_used() {
    for (module, allowed) in MAY_IMPORT {
        let texts = files_of(module).into_iter().map(|file| fs::read_to_string(file).unwrap());
        let used: BTreeSet<String> = texts.flat_map(|text| imports_in(&text)).collect();
        for name in *allowed {
            assert!(used.contains(*name), "`{module}` does not name `{name}` any more");
        }
    }
}

#[test]
fn every_file_belongs_to_a_module_of_the_table() {
    let mut all = Vec::new();
    collect_files(&src(), &mut all);
    let mut known: BTreeSet<PathBuf> =
        MAY_IMPORT.iter().flat_map(|(module, _)| files_of(module)).collect();
    known.extend([src().join("lib.rs"), src().join("main.rs")]);
    let strays: Vec<_> = all.into_iter().filter(|file| !known.contains(file)).collect();
    assert!(strays.is_empty(), "in no row of the table: {strays:?}");
}

#[test]
fn the_crate_tells_of_its_modules_in_the_order_of_the_table() {
    let lib = fs::read_to_string(src().join("lib.rs")).unwrap();
    let told: Vec<&str> = lib
        .lines()
        .filter_map(|line| line.strip_prefix("//! * "))
        .flat_map(|line| line.split("[`").skip(1).filter_map(|rest| rest.split('`').next()))
        .collect();
    let table: Vec<&str> = MAY_IMPORT.iter().map(|(module, _)| *module).collect();
    assert_eq!(told, table, "the crate's documentation and the table differ");
    let declared: BTreeSet<&str> =
        lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    assert_eq!(declared, table.into_iter().collect(), "lib.rs and the table differ");
}

/// The top-level names behind every `crate::`, outside line comments. A brace or a `super::super`
/// hides names from this reading and is returned as itself, which no row allows.
fn imports_in(text: &str) -> Vec<String> {
    let code = || text.lines().filter(|line| !line.trim_start().starts_with("//"));
    let named = code().flat_map(|line| line.split("crate::").skip(1)).map(|rest| {
        let is_name = |c: &char| c.is_alphanumeric() || *c == '_';
        if rest.starts_with('{') { "{".into() } else { rest.chars().take_while(is_name).collect() }
    });
    let hidden = code().filter(|line| line.contains("super::super")).map(|_| "super::super".into());
    named.chain(hidden).collect()
}

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn files_of(module: &str) -> Vec<PathBuf> {
    let mut files = vec![src().join(format!("{module}.rs"))];
    collect_files(&src().join(module), &mut files);
    files
}

fn collect_files(dir: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            collect_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}
