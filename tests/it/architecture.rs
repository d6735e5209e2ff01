//! Holds the import table of `ARCHITECTURE.md`: which module may name which, in code and document.
//!
//! It reads text, not syntax: macros and block comments could fool it, which is enough among people
//! of good will.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Each top-level module with the modules it may import, in reading order: none names a later one,
/// but for `chunk` and `history`, which are read before what they serve.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("cursor", &[]),
    ("line", &[]),
    ("redact", &["cursor", "line"]),
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
    ("viewer_log", &["filter", "follower", "history", "metrics"]),
    (
        "websocket",
        &["chunk", "cursor", "filter", "follower", "viewer_log", "line", "source", "wire"],
    ),
    ("listener", &[]),
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
            "viewer_log",
            "line",
            "listener",
            "metrics",
            "source",
            "websocket",
            "wire",
        ],
    ),
    ("config", &["glob"]),
    ("cli", &["auth", "catalog", "config"]),
    ("follow", &["cli", "shutdown"]),
    ("ls", &["cli", "follow"]),
    ("doctor", &["cli"]),
    ("demo", &[]),
    ("metrics", &[]),
    ("logging", &[]),
    ("shutdown", &[]),
    (
        "server",
        &[
            "auth", "catalog", "config", "disk", "feed", "file", "http", "line", "listener",
            "metrics", "redact", "shutdown", "source",
        ],
    ),
    ("check", &["config", "feed", "file", "line", "metrics", "server"]),
];

/// Type names that stand more than once, with what tells them apart. No more than 12.
const DEFINED_TWICE: &[(&str, &str)] = &[
    ("Command", "of the command line (`cli`), and of a client (`websocket::command`)"),
    ("EndReason", "why a server ends a stream, and what the client library understands of it"),
    ("Event", "between two lines of a source, and what the client library returns"),
    ("Gap", "of a source, and its record in the client library"),
    ("Rest", "the unterminated end of a log (`history`), and of a name (`rotation::date`)"),
    ("Rotated", "the name of a rotated file, and the record of a rotation in the client library"),
    ("Start", "where a stream starts (`source`), and its first record in the client library"),
];

/// Words of a dialect that this code once had: what they stood for has a name in the field. A part
/// of an identifier counts, as in `is_told`.
const NOT_OUR_WORDS: &[&str] = &[
    "asker",
    "asks",
    "company",
    "door",
    "dress",
    "fact",
    "facts",
    "grave",
    "ledger",
    "likeness",
    "progressed",
    "roster",
    "shelf",
    "succession",
    "talk",
    "talks",
    "tells",
    "told",
    "track",
    "tracks",
    "wish",
    "woken",
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
            assert!(used.contains(*name), "`{module}` no longer names `{name}`");
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

/// A program that follows a log builds neither the server nor what only a server needs.
#[test]
fn the_client_needs_no_server() {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "-p", "tailcast-client", "-e", "normal", "--prefix", "none", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let tree = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(tree.contains("tailcast-core"), "{tree}");
    let names: Vec<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    for server_only in ["tailcast", "rocket", "tikv-jemallocator", "argon2", "linemux", "notify"] {
        assert!(!names.contains(&server_only), "`{server_only}` is built for the client");
    }
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
    let name = |line: &'_ str| -> Option<String> {
        let module =
            line.strip_prefix("pub mod ").or(line.strip_prefix("pub use tailcast_core::"))?;
        module.strip_suffix(';').map(str::to_owned)
    };
    let declared: BTreeSet<String> = lib.lines().filter_map(name).collect();
    let table: BTreeSet<String> = table.into_iter().map(str::to_owned).collect();
    assert_eq!(declared, table, "lib.rs and the table differ");
}

#[test]
fn the_code_map_has_the_rows_of_the_table() {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md");
    let document = fs::read_to_string(document).unwrap();
    let rows = document.lines().filter_map(|line| {
        let [_, module, imports, _, _] = line.split('|').collect::<Vec<_>>().try_into().ok()?;
        let module = module.trim().strip_prefix('`')?.strip_suffix('`')?;
        let imports: BTreeSet<&str> = imports.split_whitespace().filter(|it| *it != "–").collect();
        Some((module, imports))
    });
    let table = MAY_IMPORT.iter().map(|(module, imports)| {
        let imports: BTreeSet<&str> = imports.iter().copied().collect();
        (*module, imports)
    });
    assert_eq!(rows.collect::<Vec<_>>(), table.collect::<Vec<_>>());
}

#[test]
fn no_type_name_stands_twice_but_where_the_module_tells_which() {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (file, code) in product_code() {
        for name in types_in(&code) {
            places.entry(name).or_default().push(file.clone());
        }
    }
    places.retain(|_, files| files.len() > 1);
    assert!(DEFINED_TWICE.len() <= 12, "too many exceptions");
    for (name, _why) in DEFINED_TWICE {
        assert_eq!(places.remove(*name).map(|files| files.len()), Some(2), "`{name}`");
    }
    assert!(places.is_empty(), "defined more than once: {places:#?}");
}

#[test]
fn identifiers_have_no_private_words() {
    let mut found = BTreeSet::new();
    for (file, code) in product_code() {
        for identifier in code.split(|c: char| !c.is_alphanumeric() && c != '_') {
            if words_of(identifier).iter().any(|word| NOT_OUR_WORDS.contains(&word.as_str())) {
                found.insert(format!("{file}: {identifier}"));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn code_is_read_without_comments_and_texts() {
    let text =
        "let c = '\"'; // told\nlet t = \"told \\\" told\"; /// told\nx(r#\"a \"told\" b\"#) 'told";
    assert_eq!(code_of(text).replace(' ', ""), "letc=;\nlett=;\nx()'told");
    assert_eq!(words_of("isToldTo_him"), ["is", "told", "to", "him"]);
    let types = "pub(super) struct A;\nenum B {}\n    type Error = E;\ntype C = D;\nimpl A {}";
    assert_eq!(types_in(types), ["A", "B", "C"]);
}

/// The code of the crates without their tests, comments and texts, by file.
fn product_code() -> Vec<(String, String)> {
    let mut files = Vec::new();
    collect_files(&src(), &mut files);
    collect_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("crates"), &mut files);
    let is_test = |file: &PathBuf| {
        file.ends_with("tests.rs")
            || file.iter().any(|part| part == "tests" || part == "examples" || part == "benches")
    };
    files.retain(|file| !is_test(file));
    assert!(files.len() > 150, "the product's files were not found");
    let code = |file: PathBuf| {
        let text = fs::read_to_string(&file).unwrap();
        let text = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        (file.display().to_string(), code_of(text))
    };
    files.into_iter().map(code).collect()
}

/// `text` without line comments, texts and characters.
fn code_of(text: &str) -> String {
    let (mut code, mut rest) = (String::new(), text);
    while let Some(at) = rest.find(['/', '"', '\'']) {
        code.push_str(&rest[..at]);
        rest = &rest[at..];
        let hashes = code.len() - code.trim_end_matches('#').len();
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with('"') && code.trim_end_matches('#').ends_with('r') {
            let end = format!("\"{}", "#".repeat(hashes));
            code.truncate(code.len() - hashes - 1);
            rest[1..].find(&end).map_or(rest.len(), |at| 1 + at + end.len())
        } else if rest.starts_with('"') {
            quoted_length(rest, '"')
        } else if rest.starts_with("'\\") || rest.chars().nth(2) == Some('\'') {
            quoted_length(rest, '\'')
        } else {
            code.push_str(&rest[..1]);
            1
        };
        rest = &rest[length..];
    }
    code + rest
}

/// The bytes of a text in quotes that `rest` begins with.
fn quoted_length(rest: &str, quote: char) -> usize {
    let mut is_escaped = true;
    for (at, character) in rest.char_indices() {
        if character == quote && !is_escaped {
            return at + 1;
        }
        is_escaped = at == 0 || (character == '\\' && !is_escaped);
        is_escaped &= at != 0;
    }
    rest.len()
}

/// The names of the types that are defined in some code; associated types are none.
fn types_in(code: &str) -> Vec<String> {
    let defined = |line: &str| {
        let item = line.trim_start();
        let item = match item.strip_prefix("pub") {
            Some(rest) if rest.starts_with('(') => rest.split_once(") ").map_or("", |(_, it)| it),
            Some(rest) => rest.trim_start(),
            None => item,
        };
        let (keyword, name) = item.split_once(' ')?;
        let is_type = matches!(keyword, "struct" | "enum" | "union" | "trait")
            || (keyword == "type" && !line.starts_with(' '));
        let is_name = |c: &char| c.is_alphanumeric() || *c == '_';
        is_type.then(|| name.chars().take_while(is_name).collect())
    };
    code.lines().filter_map(defined).collect()
}

/// `is_told` and `IsTold` as `is`, `told`.
fn words_of(identifier: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for character in identifier.chars() {
        if character == '_' || (character.is_uppercase() && was_lower) {
            words.push(String::new());
        }
        was_lower = character.is_lowercase() || character.is_numeric();
        if let (Some(word), true) = (words.last_mut(), character != '_') {
            word.extend(character.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
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
    if module == "cursor" {
        return vec![
            Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/tailcast-core/src/cursor.rs"),
        ];
    }
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
