//! What a process holds and uses, seen from outside, and the programs that the tests need.

use std::fs;
use std::process::Command;

use rustix::process::Signal;

use crate::support::TestServer;

/// Inotify instances, and the watches in all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inotify {
    pub n_instances: usize,
    pub n_watches: usize,
}

/// What the process has of inotify.
pub fn inotify(server: &TestServer) -> Inotify {
    let mut held = Inotify { n_instances: 0, n_watches: 0 };
    let folder = format!("/proc/{}/fd", server.pid());
    for entry in fs::read_dir(folder).unwrap().filter_map(Result::ok) {
        // One that was closed meanwhile counts for nothing.
        let Ok(target) = fs::read_link(entry.path()) else { continue };
        if target.to_string_lossy().contains("inotify") {
            let number = entry.file_name().into_string().unwrap();
            let info = format!("/proc/{}/fdinfo/{number}", server.pid());
            let info = fs::read_to_string(info).unwrap_or_default();
            held.n_instances += 1;
            held.n_watches += info.lines().filter(|line| line.starts_with("inotify ")).count();
        }
    }
    held
}

/// CPU time used so far, in clock ticks (a hundredth of a second).
pub fn cpu_ticks(server: &TestServer) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", server.pid())).unwrap();
    // The name in parentheses may hold spaces; utime and stime are the 12th and 13th after it.
    let (_, after) = stat.rsplit_once(") ").unwrap();
    after.split(' ').skip(11).take(2).map(|field| field.parse::<u64>().unwrap()).sum()
}

/// Does something between two looks of the server: it stands still meanwhile.
pub fn while_stopped<T>(server: &TestServer, work: impl FnOnce() -> T) -> T {
    server.signal(Signal::STOP);
    let done = work();
    server.signal(Signal::CONT);
    done
}

/// Runs a program, which has to be there and to succeed.
#[track_caller]
pub fn run(program: &str, arguments: &[&str]) {
    let done = Command::new(program).args(arguments).output();
    let done = done.unwrap_or_else(|error| {
        panic!("`{program}` cannot be run ({error}); install its Debian package")
    });
    let told = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "`{program} {}` has failed: {told}", arguments.join(" "));
}
