//! Lines arrive one by one, when they are written.

use std::time::{Duration, Instant};

use super::{Front, Program, Site, for_each_program, serve};
use crate::support::{LogFile, LogFolder, Request, Viewer};

for_each_program! {
    lines_arrive_at_once_as_deployed_at_a_root,
    lines_arrive_at_once_as_deployed_below_a_path,
    lines_arrive_one_by_one_with_a_naive_configuration,
    lines_arrive_one_by_one_where_all_is_compressed,
}

fn lines_arrive_at_once_as_deployed_at_a_root(program: Program) {
    let fastest = slowest_of_the_fastest(Site::deployed_at_root(program), "deploy, root");
    assert!(fastest < AT_ONCE, "{fastest:?}");
}

fn lines_arrive_at_once_as_deployed_below_a_path(program: Program) {
    let fastest = slowest_of_the_fastest(Site::deployed_below_a_path(program), "deploy, sub-path");
    assert!(fastest < AT_ONCE, "{fastest:?}");
}

fn lines_arrive_one_by_one_with_a_naive_configuration(program: Program) {
    let fastest = slowest_of_the_fastest(Site::naive(program), "naive");
    // HAProxy holds each piece of a chunked answer back for 200 ms, and no header tells it not to.
    let is_slow = program == Program::Haproxy;
    assert!(fastest < if is_slow { Duration::from_secs(1) } else { AT_ONCE }, "{fastest:?}");
}

fn lines_arrive_one_by_one_where_all_is_compressed(program: Program) {
    let fastest = slowest_of_the_fastest(Site::compressing(program), "compressing");
    let is_slow = program == Program::Haproxy;
    assert!(fastest < if is_slow { Duration::from_secs(1) } else { AT_ONCE }, "{fastest:?}");
}

/// Writes lines, each when the one before has come, and tells how long the fastest line took, of the
/// format where that is the most. A proxy that holds lines back does so to all of them; a busy
/// machine delays some.
#[track_caller]
fn slowest_of_the_fastest(site: Site, what: &str) -> Duration {
    let program = site.program;
    let (folder, mut log) = LogFolder::with_log("app.log");
    let server = serve(&folder);
    let front = Front::start(site, server.address());
    let mut fastest = Duration::ZERO;
    for format in ["text", "ndjson", "sse"] {
        let request = Request::get(&format!("/logs/app.log?tail=0&format={format}"));
        let mut viewer = front.follow(request.header("Accept-Encoding", "gzip"));
        let mut times = times_of_lines(&mut viewer, &mut log);
        times.sort_unstable();
        let (first, last) = (times[0], times[times.len() - 1]);
        eprintln!("{program:?}, {what}: {format} {first:.1?} to {last:.1?}");
        fastest = fastest.max(first);
    }
    fastest
}

#[track_caller]
fn times_of_lines(viewer: &mut Viewer, log: &mut LogFile) -> Vec<Duration> {
    let mut one = || {
        log.number(1);
        let text = format!("line {}", log.n_lines());
        let written = Instant::now();
        viewer.wait_for_line(&text);
        written.elapsed()
    };
    (0..N_LINES).map(|_| one()).collect()
}

const N_LINES: usize = 10;
const AT_ONCE: Duration = Duration::from_millis(100);
