//! The page, its files and the lists, at a root and below a path.

use super::{Front, Program, Site, for_each_program, serve};
use crate::support::{LogFolder, Request, ls};

for_each_program! {
    the_page_and_its_files_are_found_at_a_root,
    the_page_and_its_files_are_found_below_a_path,
    lists_and_odd_names_pass,
    the_path_without_its_slash_leads_to_the_page,
    ls_finds_the_list_below_a_path,
}

fn the_page_and_its_files_are_found_at_a_root(program: Program) {
    the_page_and_its_files_are_found(Site::deployed_at_root(program));
}

fn the_page_and_its_files_are_found_below_a_path(program: Program) {
    the_page_and_its_files_are_found(Site::deployed_below_a_path(program));
}

#[track_caller]
fn the_page_and_its_files_are_found(site: Site) {
    let (folder, _log) = LogFolder::with_log("deep/er/app.log");
    let server = serve(&folder);
    let front = Front::start(site, server.address());
    for page in ["/", "/logs/deep/er/app.log"] {
        let answer = front.get(Request::get(page).accept("text/html"));
        assert_eq!(answer.status, 200, "{page}");
        let html = answer.text();
        let base = values(&html, "<base href=\"")[0];
        let links: Vec<&str> = [values(&html, "<script"), values(&html, "<link")]
            .into_iter()
            .flatten()
            .flat_map(|tag| [values(tag, "src=\""), values(tag, "href=\"")].concat())
            .collect();
        assert!(links.len() >= 2, "{html}");
        for link in links {
            let path = resolve(&resolve(page, base), link);
            let file = front.get(&path);
            assert_eq!(file.status, 200, "{link} of {page} is {path}");
            assert!(!file.body.is_empty());
        }
    }
}

fn lists_and_odd_names_pass(program: Program) {
    let (folder, _log) = LogFolder::with_log("plain.log");
    let name = "ü b%41 {x}+&.log";
    folder.log(&format!("deep/{name}")).number(3);
    let encoded = "%C3%BC%20b%2541%20%7Bx%7D+&.log";
    let server = serve(&folder);
    for site in [Site::deployed_at_root(program), Site::deployed_below_a_path(program)] {
        let front = Front::start(site, server.address());
        let list = front.get("/api/sources").json();
        assert_eq!(list["sources"].as_array().unwrap().len(), 2, "{list}");
        let lines = front.get(format!("/logs/deep/{encoded}?follow=false")).lines();
        assert_eq!(lines, ["line 1", "line 2", "line 3"]);
        let records = front.get("/logs/de%2Ap/**?follow=false&format=ndjson").records();
        assert_eq!(records.iter().filter(|record| record["line"].is_string()).count(), 3);
        let mut changes = front.follow(Request::sse("/api/sources"));
        let sources = changes.wait_for_event("sources").data;
        assert_eq!(sources["sources"][0]["name"], format!("deep/{name}"));
    }
}

fn the_path_without_its_slash_leads_to_the_page(program: Program) {
    let (folder, _log) = LogFolder::with_log("app.log");
    let server = serve(&folder);
    let site = Site::deployed_below_a_path(program);
    let front = Front::start(Site { prefix: "", ..site }, server.address());
    let answer = front.get("/ops/logs");
    assert_eq!(answer.status, 301);
    assert!(answer.header("location").unwrap().ends_with("/ops/logs/"), "{answer:?}");
    assert_ne!(front.get("/ops/logsy").header("server"), Some("Tailcast"));
}

fn ls_finds_the_list_below_a_path(program: Program) {
    let (folder, _log) = LogFolder::with_log("app.log");
    let server = serve(&folder);
    let front = Front::start(Site::deployed_below_a_path(program), server.address());
    let ca = front.certificate_file().display().to_string();
    let host = format!("Host: {}", front.host().unwrap());
    // The path that the proxy takes off ends in `/logs`, as those of Tailcast begin.
    let url = front.url();
    for url in [&url, url.trim_end_matches('/'), &format!("{url}logs/app.log")] {
        let listed = ls(&[url, "--ca", &ca, "--header", &host], folder.path());
        let text = String::from_utf8_lossy(&listed.stdout).into_owned();
        assert!(text.contains("app.log"), "{url}: {listed:?}");
    }
}

/// What follows each `start` up to the next quote or angle.
fn values<'a>(html: &'a str, start: &str) -> Vec<&'a str> {
    let end = if start.ends_with('"') { '"' } else { '>' };
    html.split(start).skip(1).filter_map(|rest| rest.split(end).next()).collect()
}

/// The path that a relative reference means on a page, as far as ours need it.
fn resolve(page: &str, reference: &str) -> String {
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    let mut parts_of = reference.split('/').peekable();
    while let Some(part) = parts_of.next() {
        match part {
            "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
        if parts_of.peek().is_none() && (part == "." || part == "..") {
            parts.push("");
        }
    }
    parts.join("/")
}
