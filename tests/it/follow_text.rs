//! `GET /logs/<source>` as text: what is there, and what comes.

use super::support::{LogFolder, TestServer, numbered};

#[test]
fn the_last_ten_lines_come_first() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.number(25);
    let server = TestServer::serving(log.path());
    let mut viewer = server.follow("/logs/app.log");
    viewer.wait_for_lines(10);
    assert_eq!(viewer.texts(), numbered(16, 25));
    log.number(1);
    viewer.wait_for_line("line 26");
    assert_eq!(viewer.texts(), numbered(16, 26));
}
