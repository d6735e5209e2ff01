//! What a proxy says of its client: what the proxy knows, and nothing of what the client claims.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::{Front, Program, Site, for_each_program, serve};
use crate::support::{LogFolder, Request, pause, wait_until};

for_each_program! {
    what_a_client_claims_of_itself_is_replaced,
    the_server_knows_the_client_and_not_the_proxy,
}

fn what_a_client_claims_of_itself_is_replaced(program: Program) {
    let mirror = Mirror::start();
    for site in [Site::deployed_at_root(program), Site::deployed_below_a_path(program)] {
        let host = site.host.unwrap();
        let front = Front::start(site, mirror.address);
        let mut request = Request::get("/logs/app.log");
        for name in ["X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded"] {
            request = request.header(name, "claimed");
        }
        for name in ["Remote-User", "Remote-Groups"] {
            request = request.header(name, "claimed");
        }
        let answer = front.get(request).text();
        assert!(answer.starts_with("GET /logs/app.log HTTP/1.1\r\n"), "{answer}");
        assert!(!answer.contains("claimed"), "{answer}");
        let values = |name: &str| -> Vec<&str> {
            let headers = answer.lines().filter_map(|line| line.split_once(": "));
            headers.filter(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, v)| v).collect()
        };
        assert_eq!(values("x-forwarded-for"), ["127.0.0.1"], "{answer}");
        assert_eq!(values("x-forwarded-proto"), ["https"], "{answer}");
        assert_eq!(values("x-forwarded-host"), [host], "{answer}");
        assert_eq!(values("host"), [host], "{answer}");
        for name in ["Forwarded", "Remote-User", "Remote-Groups"] {
            assert!(values(name).iter().all(|value| value.is_empty()), "{answer}");
        }
    }
}

fn the_server_knows_the_client_and_not_the_proxy(program: Program) {
    let (folder, _log) = LogFolder::with_log("app.log");
    let server = serve(&folder);
    for site in [Site::deployed_at_root(program), Site::deployed_below_a_path(program)] {
        let prefix = site.prefix.len();
        let front = Front::start(site, server.address());
        let own = format!("127.77.{prefix}.9");
        let claim = Request::get("/logs/app.log?tail=0").header("X-Forwarded-For", "192.0.2.6");
        let _viewer = front.follow(claim.bound_to(&own));
        let told = format!("client={own}");
        wait_until("the client is told by its address", || server.log().contains(&told));
        let log = server.log();
        assert!(!log.contains("192.0.2.6"), "{log}");
    }
}

/// Answers each request with its head.
struct Mirror {
    address: SocketAddr,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Mirror {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        listener.set_nonblocking(true).unwrap();
        let is_over = Arc::new(AtomicBool::new(false));
        let is_over_there = Arc::clone(&is_over);
        let serve = move || {
            while !is_over_there.load(Ordering::Relaxed) {
                match listener.accept() {
                    Ok((socket, _)) => answer(socket),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        pause(Duration::from_millis(5));
                    }
                    Err(error) => panic!("{error}"),
                }
            }
        };
        Mirror { address, is_over, thread: Some(std::thread::spawn(serve)) }
    }
}

fn answer(mut socket: std::net::TcpStream) {
    socket.set_nonblocking(false).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut head = Vec::new();
    let mut byte = [0];
    // A proxy may open a connection to see whether there is anybody.
    while !head.ends_with(b"\r\n\r\n") && matches!(socket.read(&mut byte), Ok(1)) {
        head.extend(byte);
    }
    let status = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/x-mirror\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n",
        head.len()
    );
    socket.write_all(status.as_bytes()).and_then(|()| socket.write_all(&head)).unwrap();
}

impl Drop for Mirror {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}
