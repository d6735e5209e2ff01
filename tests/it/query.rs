//! The query: which lines pass, and from when to when.

use jiff::{SignedDuration, Timestamp};

use super::support::{LogFile, LogFolder, Options, Request, TestServer};

const STORY: &str = "\
before any level
2026-11-20T09:00:00Z INFO started
2026-11-20T10:00:00Z ERROR failed
  at one
  at two
2026-11-21T10:00:00Z DEBUG detail
2026-11-21T10:00:30Z WARN slow
  because of that
2026-11-21T10:01:00Z ERROR failed again
2026-11-22T08:00:00Z FATAL gone
";

#[test]
fn grep_lets_matching_lines_pass() {
    let server = Story::new();
    server.check("grep=failed", &[2, 8]);
    server.check("grep=fai%6ced", &[2, 8]);
    server.check("grep=^%20%20at", &[3, 4]);
    server.check("grep=one|two", &[3, 4, 9]);
    server.check("grep=", &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    server.check("grep=%5Cd%7B4%7D-11-22", &[9]);
}

#[test]
fn a_pattern_in_lower_case_matches_any_case() {
    let server = Story::new();
    server.check("grep=error", &[2, 8]);
    server.check("grep=ERROR", &[2, 8]);
    server.check("grep=Error", &[]);
    server.check("grep=error%5CW", &[2, 8]);
    server.check("grep=Error%5CW", &[]);
    server.check("exclude=error|info|debug|warn|fatal", &[0, 3, 4, 7]);
}

#[test]
fn exclude_holds_matching_lines_back() {
    let server = Story::new();
    server.check("exclude=at", &[0, 1, 2, 5, 6, 8]);
    server.check("grep=failed&exclude=again", &[2]);
}

#[test]
fn a_level_lets_it_and_graver_ones_pass() {
    let server = Story::new();
    server.check("level=trace", &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    server.check("level=debug", &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    server.check("level=info", &[0, 1, 2, 3, 4, 6, 7, 8, 9]);
    server.check("level=warn", &[0, 2, 3, 4, 6, 7, 8, 9]);
    server.check("level=error", &[0, 2, 3, 4, 8, 9]);
    server.check("level=fatal", &[0, 9]);
    server.check("level=ERROR&grep=%20at%20", &[3, 4]);
}

#[test]
fn a_stack_trace_has_the_level_of_the_line_before_it_also_live() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    let server = TestServer::serving(log.path());
    log.line("2026-11-21T10:00:00Z ERROR old");
    let mut viewer = server.follow("/logs/app.log?level=error&tail=1");
    viewer.wait_for_lines(1);
    log.line("  at the live end");
    viewer.wait_for_line("  at the live end");
    log.line("2026-11-21T10:00:01Z INFO new");
    log.line("  of little weight");
    log.line("2026-11-21T10:00:02Z FATAL last");
    viewer.wait_for_line("2026-11-21T10:00:02Z FATAL last");
    assert_eq!(viewer.lines.len(), 3);
}

#[test]
fn tail_counts_the_lines_that_pass() {
    let server = Story::new();
    server.check("level=error&tail=2", &[8, 9]);
    server.check("level=error&tail=4", &[3, 4, 8, 9]);
    server.check("grep=failed&tail=1", &[8]);
    server.check("exclude=.&tail=5", &[]);
    server.check("level=warn&exclude=at&tail=3", &[2, 6, 8]);
}

#[test]
fn since_and_until_take_times_dates_and_what_a_value_covers() {
    let server = Story::new();
    server.check("since=2026-11-21T10:00:30Z", &[0, 6, 7, 8, 9]);
    server.check("since=2026-11-21T10:00:30.5Z", &[0, 8, 9]);
    server.check("since=2026-11-21T11:01:00%2B01:00", &[0, 8, 9]);
    server.check("since=2026-11-21", &[0, 5, 6, 7, 8, 9]);
    server.check("since=2026-11-22", &[0, 9]);
    server.check("since=2026-11-23", &[0]);
    server.check("since=2026-11-20T10:00:00Z&until=2026-11-20T10:00:00Z", &[0, 2, 3, 4]);
    server.check("since=2026-11-21&until=2026-11-21", &[0, 5, 6, 7, 8]);
    server.check("since=2026-11-21&until=2026-11-21T10:00Z", &[0, 5, 6, 7]);
    server.check("since=2026-11-21&until=2026-11-21T10:00:00Z", &[0, 5]);
}

#[test]
fn since_finds_its_place_in_a_large_log_as_in_a_small_one() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    let begin: Timestamp = "2026-11-21T00:00:00Z".parse().unwrap();
    let mut lines = Vec::new();
    for second in 0..40_000 {
        // A writer may be late by minutes, and some lines tell no time.
        let late = if second % 2 == 0 { 300 } else { 0 };
        let time = begin + SignedDuration::from_secs(second - late);
        lines.push((second - late, format!("{time} INFO event {second} {}", "x".repeat(100))));
        if second % 11 == 0 {
            lines.push((second - late, "  at some place".to_owned()));
        }
    }
    let text: String = lines.iter().map(|(_, line)| line.clone() + "\n").collect();
    log.write(text);
    let server = Options::serving([log.path()]).variable("TZ", "UTC0").start();
    for since in (0..40_000).step_by(1777).chain([1, 39_990, 39_999]) {
        let time = begin + SignedDuration::from_secs(since);
        let answer = server.get(format!("/logs/app.log?follow=false&since={time}"));
        let expected = lines.iter().filter(|(second, _)| *second >= since);
        let expected: Vec<_> = expected.map(|(_, line)| line.as_str()).collect();
        let got = answer.lines();
        assert_eq!(got.len(), expected.len(), "since {time}");
        assert!(got == expected, "since {time}");
    }
}

#[test]
fn tail_with_since_takes_the_last_of_those() {
    let server = Story::new();
    server.check("since=2026-11-21&tail=2", &[8, 9]);
    server.check("since=2026-11-22&tail=5", &[0, 9]);
    server.check("since=2026-11-20&until=2026-11-21&level=error&tail=2", &[4, 8]);
}

#[test]
fn a_time_without_a_zone_is_the_servers() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.write("2026-11-21T10:00:00Z a\n2026-11-21T12:00:00Z b\n");
    let server = Options::serving([log.path()]).variable("TZ", "EST5").start();
    let lines = server.get("/logs/app.log?follow=false&since=2026-11-21T06:00").lines();
    assert_eq!(lines, ["2026-11-21T12:00:00Z b"]);
}

#[test]
fn a_span_counts_back_from_now() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    let ago = |minutes| Timestamp::now() - SignedDuration::from_mins(minutes);
    let lines = [90, 10, 1].map(|minutes| format!("{:.3} INFO {minutes} min ago", ago(minutes)));
    log.write(lines.join("\n") + "\n");
    let server = TestServer::serving(log.path());
    let get = |query: &str| server.get(format!("/logs/app.log?follow=false&{query}")).lines();
    assert_eq!(get("since=5m"), lines[2..]);
    assert_eq!(get("since=1h"), lines[1..]);
    assert_eq!(get("since=2h&until=5m"), lines[..2]);
    assert_eq!(get("since=1h30m20s&until=1h"), lines[..1]);
}

#[test]
fn until_ends_a_stream_that_follows_when_the_clock_passes_it() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    let server = TestServer::serving(log.path());
    let until = Timestamp::now() + SignedDuration::from_millis(2500);
    let path = format!("/logs/app.log?until={until:.3}");
    let mut viewer = server.follow(Request::ndjson(&path));
    viewer.wait_for_event("start");
    log.line(&format!("{:.3} INFO in time", Timestamp::now()));
    viewer.wait_for_lines(1);
    assert!(!viewer.has_ended());
    log.line("2126-01-01T00:00:00Z INFO much later");
    viewer.wait_for_end();
    assert!(Timestamp::now() >= until, "ended too early");
    assert_eq!(viewer.lines.len(), 1);
    assert_eq!(viewer.wait_for_event("end").data["reason"], "until");
}

#[test]
fn an_until_that_has_passed_ends_the_stream_at_once() {
    let server = Story::new();
    let path = "/logs/app.log?tail=all&until=2026-11-20";
    let mut viewer = server.server.follow(Request::ndjson(path));
    viewer.wait_for_end();
    assert_eq!(viewer.texts(), STORY.lines().take(5).collect::<Vec<_>>());
    assert_eq!(viewer.wait_for_event("end").data["reason"], "until");
}

#[test]
fn a_log_without_times_is_sent_whole() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.number(5);
    let server = TestServer::serving(log.path());
    let answer = server.get("/logs/app.log?follow=false&since=1h");
    assert_eq!(answer.lines().len(), 5);
}

#[test]
fn filters_hold_for_lines_that_come() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    let server = TestServer::serving(log.path());
    let mut viewer = server.follow("/logs/app.log?grep=7&exclude=17");
    log.number(40);
    viewer.wait_for_line("line 37");
    assert_eq!(viewer.texts(), ["line 7", "line 27", "line 37"]);
}

#[test]
fn a_filtered_stream_goes_on_as_if_it_had_not_been_cut() {
    let server = Story::new();
    for query in ["level=error", "exclude=failed", "level=warn&grep=at", "since=2026-11-21"] {
        let whole = format!("/logs/app.log?follow=false&tail=all&{query}");
        let whole = whole.replace(if query.starts_with("since") { "&tail=all" } else { "" }, "");
        let mut viewer = server.server.follow(Request::ndjson(&whole));
        viewer.wait_for_end();
        for (number, line) in viewer.lines.iter().enumerate() {
            // After a resume `since` says nothing any more; what is before any time has passed it.
            if query.starts_with("since") && number == 0 {
                continue;
            }
            let path = format!("/logs/app.log?follow=false&{query}");
            let request =
                Request::ndjson(&path).header("Last-Event-ID", line.cursor.as_deref().unwrap());
            let mut rest = server.server.follow(request);
            rest.wait_for_end();
            assert_eq!(rest.lines, viewer.lines[number + 1..], "{query}, after {}", line.text);
        }
    }
}

/// A server with a log that tells [`STORY`].
struct Story {
    server: TestServer,
    _folder: LogFolder,
    _log: LogFile,
}

impl Story {
    fn new() -> Self {
        let (folder, mut log) = LogFolder::with_log("app.log");
        log.write(STORY);
        let options = Options::serving([log.path()]).variable("TZ", "UTC0");
        Story { server: options.start(), _folder: folder, _log: log }
    }

    /// The lines of [`STORY`] that a query lets pass, by their numbers; `tail=all` unless it says
    /// otherwise.
    #[track_caller]
    fn check(&self, query: &str, expected: &[usize]) {
        let names_start = query.contains("tail=") || query.contains("since=");
        let tail = if names_start { "" } else { "&tail=all" };
        let answer = self.server.get(format!("/logs/app.log?follow=false&{query}{tail}"));
        assert_eq!(answer.status, 200, "{query}: {}", answer.text());
        let story: Vec<&str> = STORY.lines().collect();
        let expected: Vec<&str> = expected.iter().map(|number| story[*number]).collect();
        assert_eq!(answer.lines(), expected, "{query}");
    }
}

#[test]
fn lines_before_any_time_pass_since_in_a_file_of_any_size() {
    let folder = LogFolder::new();
    let old =
        |number: usize| format!("2026-01-01T10:00:{:02}Z old {number}\n\tat old\n", number % 60);
    for n_old in [10, 20_000] {
        let text: String = (0..n_old).map(old).collect();
        let banner = "begun\n\nversion 1\n";
        folder.write("app.log", format!("{banner}{text}2026-06-01T10:00:00Z new\n\tat new\n"));
        let server = TestServer::serving(folder.join("app.log"));
        let answer = server.get("/logs/app.log?since=2026-05-01&follow=false");
        let expected = ["begun", "", "version 1", "2026-06-01T10:00:00Z new", "\tat new"];
        assert_eq!(answer.lines(), expected, "{n_old} old lines");
    }
}
