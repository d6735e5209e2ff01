//! A proxy is reloaded and restarted while lines flow: a browser's `EventSource` gets each line once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::{Front, Program, Site, for_each_program, serve};
use crate::support::{DEADLINE, LogFile, LogFolder, Request, Viewer, numbered, pause};

for_each_program! {
    no_line_is_lost_or_repeated_when_the_proxy_is_reloaded_and_restarted,
}

fn no_line_is_lost_or_repeated_when_the_proxy_is_reloaded_and_restarted(program: Program) {
    let (folder, mut log) = LogFolder::with_log("app.log");
    let server = serve(&folder);
    let mut front = Front::start(Site::deployed_at_root(program), server.address());
    let mut events = EventSource::open(&front, "/logs/app.log?tail=all&heartbeat=1s");
    let is_over = AtomicBool::new(false);
    let n_lines = thread::scope(|scope| {
        let writer = scope.spawn(|| write_until(&is_over, &mut log));
        let over = OverGuard(&is_over);
        events.wait_for_more(&front);
        front.reload();
        events.wait_for_more(&front);
        front.restart();
        events.wait_for_return(&front);
        events.wait_for_more(&front);
        front.reload();
        events.wait_for_more(&front);
        drop(over);
        writer.join().unwrap()
    });
    events.wait_for_lines(&front, n_lines);
    assert_eq!(events.lines, numbered(1, n_lines));
    eprintln!("{program:?}: {n_lines} lines over {} connections", events.n_connections);
}

fn write_until(is_over: &AtomicBool, log: &mut LogFile) -> usize {
    while !is_over.load(Ordering::Relaxed) {
        log.number(1);
        pause(Duration::from_millis(5));
    }
    log.n_lines()
}

/// Ends the writer, however the test ends.
struct OverGuard<'a>(&'a AtomicBool);

impl Drop for OverGuard<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// As in a browser: comes back after a network error, with the last id it has seen; gives up where
/// the answer is not 200 and an event stream.
#[derive(Debug)]
struct EventSource {
    path: String,
    viewer: Viewer,
    lines: Vec<String>,
    n_connections: usize,
}

impl EventSource {
    #[track_caller]
    fn open(front: &Front, path: &str) -> Self {
        let viewer = front.follow(Request::sse(path));
        EventSource { path: path.to_owned(), viewer, lines: Vec::new(), n_connections: 1 }
    }

    /// Reads some lines that have not come before.
    #[track_caller]
    fn wait_for_more(&mut self, front: &Front) {
        self.wait_for_lines(front, self.lines.len() + MANY_LINES);
    }

    #[track_caller]
    fn wait_for_lines(&mut self, front: &Front, n_lines: usize) {
        self.wait_for(front, |events| events.lines.len() >= n_lines);
    }

    /// Reads until the connection was cut and there is another.
    #[track_caller]
    fn wait_for_return(&mut self, front: &Front) {
        let n_connections = self.n_connections;
        self.wait_for(front, |events| events.n_connections > n_connections);
    }

    #[track_caller]
    fn wait_for(&mut self, front: &Front, condition: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !condition(self) {
            assert!(begun.elapsed() < DEADLINE, "{} lines came", self.lines.len());
            self.viewer.read();
            self.lines.extend(self.viewer.lines.drain(..).map(|line| line.text));
            if self.viewer.has_ended() {
                self.come_back(front);
            }
        }
    }

    #[track_caller]
    fn come_back(&mut self, front: &Front) {
        let id = self.viewer.last_id.clone().unwrap();
        let request = Request::sse(&self.path).header("Last-Event-ID", &id);
        if let Ok(viewer) = front.attempt(request) {
            assert_eq!(viewer.status, 200, "an EventSource gives up: {viewer:?}");
            self.viewer = viewer;
            self.n_connections += 1;
            // Until the first event of this connection, it is still the last one's.
            self.viewer.last_id = Some(id);
        } else {
            pause(Duration::from_millis(20));
        }
    }
}

const MANY_LINES: usize = 50;
