//! The documents: what mdBook does not refuse, how long they may be, and that the reference pages
//! name everything there is.
//!
//! Like `architecture`, it reads text, not syntax: links `[…](…)` and headings outside code.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::support::{LogFolder, Options, Request, Socket, TestServer, run};

#[test]
fn the_summary_lists_every_page_of_the_book_once() {
    let summary = fs::read_to_string(root().join("docs/SUMMARY.md")).unwrap();
    let mut listed: Vec<String> = links_in(&summary).collect();
    let mut pages: Vec<String> = markdown_in("docs")
        .iter()
        .map(|page| page.file_name().unwrap().to_str().unwrap().to_owned())
        .filter(|page| page != "SUMMARY.md")
        .collect();
    listed.sort();
    pages.sort();
    assert_eq!(listed, pages);
}

#[test]
fn every_link_between_documents_leads_somewhere() {
    let documents: BTreeMap<PathBuf, String> = ["", "docs", "deploy", "benches"]
        .into_iter()
        .flat_map(markdown_in)
        .map(|path| (path.clone(), fs::read_to_string(root().join(path)).unwrap()))
        .collect();
    let mut broken = Vec::new();
    for (path, text) in &documents {
        for link in links_in(text).filter(|link| !link.contains(':')) {
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let folder = path.parent().unwrap();
            let target = if file.is_empty() { path.clone() } else { joined(folder, file) };
            let leaves_the_book = path.starts_with("docs") && !target.starts_with("docs");
            let has_anchor = || {
                let known = documents.get(&target).map(|text| anchors_of(text));
                anchor.is_empty() || known.is_some_and(|anchors| anchors.contains(anchor))
            };
            if leaves_the_book || !root().join(&target).exists() || !has_anchor() {
                broken.push(format!("{}: ({link})", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn what_a_newcomer_reads_first_stays_short() {
    for (document, n_lines) in [("README.md", 130), ("ARCHITECTURE.md", 180)] {
        let text = fs::read_to_string(root().join(document)).unwrap();
        assert!(text.lines().count() <= n_lines, "{document} has {} lines", text.lines().count());
        // Or a limit of lines would limit nothing; a row of a table cannot be broken.
        let is_long = |line: &&str| !line.starts_with('|') && line.chars().count() > 120;
        let long: Vec<&str> = text.lines().filter(is_long).collect();
        assert!(long.is_empty(), "{document}: {long:#?}");
    }
}

#[test]
fn the_configuration_page_names_every_key_with_its_default() {
    let page = fs::read_to_string(root().join("docs/configuration.md")).unwrap();
    let options = || Options::serving(["/var/log"]);

    let refused = run(&["check"], &options().config("[default.tailcast]\nxyz = 1\n"));
    let refused = String::from_utf8(refused.stderr).unwrap();
    let (_, keys) = refused.trim().split_once("expected one of ").unwrap();
    let is_named = |key: &&str| page.contains(*key) || page.contains(&in_brackets(key));
    let unnamed: Vec<&str> = keys.split(", ").filter(|key| !is_named(key)).collect();
    assert!(unnamed.is_empty(), "{unnamed:?}");

    let explained = String::from_utf8(run(&["check"], &options()).stdout).unwrap();
    let defaults = explained.lines().filter_map(|line| line.strip_suffix("built in"));
    let own = defaults.filter_map(|line| line.strip_prefix("tailcast."));
    let rows = own.map(|line| {
        let (key, value) = line.split_once(' ').unwrap();
        format!("| `{key}` | `{}` |", value.trim())
    });
    let wrong: Vec<String> = rows.filter(|row| !page.contains(row)).collect();
    assert!(wrong.is_empty() && keys.contains("`heartbeat`"), "{wrong:#?}");
}

#[test]
fn the_protocol_page_names_every_parameter_command_and_metric() {
    let page = fs::read_to_string(root().join("docs/protocol.md")).unwrap();
    let (folder, _log) = LogFolder::with_log("app.log");
    let server = TestServer::serving(folder.path());

    let refusal = server.get(Request::get("/logs/app.log?nonsense=1")).text();
    let (_, names) = refusal.trim().split_once("expected one of ").unwrap();
    let parameters = names.split(", ").map(|name| format!("`{name}="));

    let mut socket = Socket::open(&server, "/logs/app.log?tail=0");
    let refusal = socket.command(r#"{"cmd":"nonsense"}"#);
    let (_, names) = refusal["error"].as_str().unwrap().split_once("one of ").unwrap();
    let commands = names.split(", ").map(|name| format!("`{name}`"));

    let metrics = server.get(Request::get("/metrics")).text();
    let names = metrics.lines().filter_map(|line| line.split(['{', ' ']).next());
    let own: BTreeSet<&str> = names.filter(|name| name.starts_with("tailcast_")).collect();
    let metrics = own.into_iter().map(|name| format!("`{name}"));

    let missing: Vec<String> =
        parameters.chain(commands).chain(metrics).filter(|word| !page.contains(word)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// What `SECURITY.md` and the invariants say is shown, or held, by a test.
#[test]
fn every_test_that_is_named_exists() {
    let read = |document: &str| fs::read_to_string(root().join(document)).unwrap();
    let (security, architecture) = (read("SECURITY.md"), read("ARCHITECTURE.md"));
    let shown = security.lines().filter_map(|line| line.strip_suffix(" |")?.rsplit_once("| "));
    let (_, invariants) = architecture.split_once("## 6. Invariants").unwrap();
    let (invariants, _) = invariants.split_once("## 7.").unwrap();
    let held = invariants.split('(').skip(1).filter_map(|rest| rest.split_once(')'));
    let lists = shown.map(|(_, last)| last).chain(held.map(|(list, _)| list));
    let is_list = |list: &&str| {
        list.split(", ").all(|name| name.len() > 2 && name.starts_with('`') && name.ends_with('`'))
    };
    let names: BTreeSet<&str> = lists
        .filter(is_list)
        .flat_map(|list| list.split(", "))
        .map(|it| it.trim_matches('`'))
        .collect();
    let exists = |name: &str| {
        root().join(name).exists() || root().join(format!("tests/it/{name}.rs")).exists()
    };
    let missing: Vec<&str> = names.iter().copied().filter(|name| !exists(name)).collect();
    assert!(missing.is_empty() && names.len() > 20, "{missing:?} of {names:?}");
}

/// The Markdown files of a folder, from the root of the repository.
fn markdown_in(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(folder)).unwrap();
    let paths = entries.map(|entry| Path::new(folder).join(entry.unwrap().file_name()));
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "md")).collect()
}

/// The targets of all links and pictures.
fn links_in(text: &str) -> impl Iterator<Item = String> {
    let prose: String = prose_of(text).collect::<Vec<_>>().join("\n");
    let targets: Vec<String> = prose
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'))
        .map(|(target, _)| target.to_owned())
        .collect();
    targets.into_iter()
}

/// The anchors that GitHub and mdBook give to headings.
fn anchors_of(text: &str) -> BTreeSet<String> {
    let headings = prose_of(text).filter_map(|line| line.trim_start_matches('#').strip_prefix(' '));
    headings
        .map(|heading| {
            let is_kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
            let kept: String = heading.to_lowercase().chars().filter(is_kept).collect();
            kept.replace(' ', "-")
        })
        .collect()
}

/// The lines outside code blocks.
fn prose_of(text: &str) -> impl Iterator<Item = &str> {
    let mut is_code = false;
    text.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    })
}

/// The head of a table with the key that stands in backquotes.
fn in_brackets(key: &str) -> String {
    format!("[default.tailcast.{}]", key.trim_matches('`'))
}

/// `file` as seen from `folder`, without `..`.
fn joined(folder: &Path, file: &str) -> PathBuf {
    let mut path = folder.to_owned();
    for part in Path::new(file) {
        if part == ".." {
            path.pop();
        } else {
            path.push(part);
        }
    }
    path
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
