//! What the tests stand on: a server of their own, logs to write, and a client that is none of ours,
//! so that client and server cannot share a mistake.

mod answer;
mod cable;
mod connection;
mod ext4_disk;
mod follow_process;
mod gunzip;
mod log_folder;
mod misbehaving_server;
mod pipe;
mod programs;
mod proxy;
mod request;
mod socket;
mod stalling_disk;
mod test_server;
mod viewer;

use std::time::{Duration, Instant};

pub use self::answer::Answer;
pub use self::cable::{Cable, NEAR_ADDRESS};
pub use self::connection::Connection;
pub use self::ext4_disk::Ext4Disk;
pub use self::follow_process::{Finished, FollowProcess, ls};
pub use self::log_folder::{LogFile, LogFolder, numbered};
pub use self::misbehaving_server::{MisbehavingServer, answer};
pub use self::pipe::{Pipe, Tls};
pub use self::proxy::{Identity, Mode, Proxy};
pub use self::request::Request;
pub use self::socket::Socket;
pub use self::stalling_disk::StallingDisk;
pub use self::test_server::{Options, TestServer, run};
pub use self::viewer::{Line, Viewer};

/// How long a condition may take to come true before the test has failed. Far more than any of
/// them needs, as the tests share the machine with each other.
pub const DEADLINE: Duration = Duration::from_secs(40);

/// Looks again and again until `condition` holds; `what` names it in the failure.
#[track_caller]
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < DEADLINE, "waited {DEADLINE:?} in vain: {what}");
        pause(Duration::from_millis(10));
    }
}

/// Waits until the server takes no more CPU; returns how many seconds of it that took.
#[track_caller]
pub fn wait_until_cpu_rests(server: &TestServer) -> f64 {
    let begun = server.cpu_seconds();
    wait_until("the server rests", || {
        let before = server.cpu_seconds();
        pause(Duration::from_millis(200));
        server.cpu_seconds() - before < 0.05
    });
    server.cpu_seconds() - begun
}

/// Lets time pass, between two looks or where nothing is to happen.
#[expect(clippy::disallowed_methods, reason = "the one place where a test's thread waits")]
pub fn pause(time: Duration) {
    std::thread::sleep(time);
}
