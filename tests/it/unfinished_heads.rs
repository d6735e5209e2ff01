//! Connections that begin a request and do not end it, many of them and long ones.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use super::support::{LogFolder, Request, TestServer, pause, wait_until};

fn connect(from: [u8; 4], to: SocketAddr) -> Option<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((from, 0)).into()).unwrap();
    socket.connect_timeout(&to.into(), Duration::from_secs(2)).ok()?;
    Some(socket.into())
}

/// Sends as much of an endless head as is taken at once.
fn send_head(socket: &mut TcpStream, n_bytes: usize) {
    let head = format!("GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: {}", "x".repeat(n_bytes));
    socket.set_write_timeout(Some(Duration::from_millis(50))).unwrap();
    match socket.write_all(head.as_bytes()) {
        Ok(()) => {}
        Err(error) => assert!(error.kind() != ErrorKind::InvalidInput, "{error}"),
    }
}

#[test]
fn long_unfinished_heads_of_one_address_cost_little_memory() {
    // Not how long others wait: an unoptimised hyper takes a second for some hundred such heads.
    let (grown, _slowest) = attack(1000, 400_000);
    // All of them would be 276 MiB. An unoptimised build holds 26 to 39; the goal of 32 is one of the
    // optimised build (`cargo bench --bench flood`).
    assert!(grown < 64 * 1024, "grown by {grown} KiB");
}

#[test]
fn nobody_else_waits_while_one_address_sends_unfinished_heads() {
    let (grown, slowest) = attack(3000, 100);
    assert!(grown < 32 * 1024, "grown by {grown} KiB");
    // How long exactly is measured by `cargo bench --bench flood`.
    assert!(slowest < Duration::from_secs(5), "somebody waited {slowest:?}");
}

/// Begins `n_connections` heads of `n_bytes` from one address. Returns by how many KiB the server has
/// grown, and how long the slowest answer to another address took.
fn attack(n_connections: usize, n_bytes: usize) -> (usize, Duration) {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.number(1);
    let server = TestServer::serving(log.path());
    assert_eq!(server.get("/healthz").status, 200);
    let before = server.status_field("VmRSS");
    let is_over = AtomicBool::new(false);
    let (grown, slowest) = std::thread::scope(|scope| {
        let attack = scope.spawn(|| {
            let sockets: Vec<TcpStream> = (0..n_connections)
                .filter_map(|_| {
                    let mut socket = connect([127, 0, 0, 3], server.address())?;
                    send_head(&mut socket, n_bytes);
                    Some(socket)
                })
                .collect();
            pause(Duration::from_millis(500));
            is_over.store(true, Ordering::Relaxed);
            sockets.len()
        });
        let (mut most, mut slowest) = (before, Duration::ZERO);
        while !is_over.load(Ordering::Relaxed) {
            let begun = Instant::now();
            assert_eq!(server.get(Request::get("/healthz").bound_to("127.0.0.4")).status, 200);
            slowest = slowest.max(begun.elapsed());
            most = most.max(server.status_field("VmRSS"));
            pause(Duration::from_millis(5));
        }
        eprintln!("{} attacking connections", attack.join().unwrap());
        (most - before, slowest)
    });
    eprintln!("grown by {grown} KiB, the slowest answer took {slowest:?}");
    (grown, slowest)
}

#[test]
fn silent_connections_of_one_address_give_way_to_its_new_ones() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.number(1);
    let server = TestServer::serving(log.path());
    let before = server.n_descriptors();
    let sockets: Vec<TcpStream> =
        (0..500).filter_map(|_| connect([127, 0, 0, 3], server.address())).collect();
    assert!(sockets.len() > 400);
    wait_until("most are closed", || server.n_descriptors() < before + 60);
    assert_eq!(server.get(Request::get("/healthz").bound_to("127.0.0.3")).status, 200);
}

#[test]
fn a_burst_of_honest_connections_loses_none() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.number(1);
    let server = TestServer::serving(log.path());
    let request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let sockets: Vec<TcpStream> = (0..2500)
        .map(|_| {
            let mut socket = connect([127, 0, 0, 3], server.address()).unwrap();
            socket.write_all(request).unwrap();
            socket
        })
        .collect();
    for (number, mut socket) in sockets.into_iter().enumerate() {
        let mut text = String::new();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        socket.read_to_string(&mut text).unwrap();
        assert!(text.starts_with("HTTP/1.1 200"), "{number}: {text}");
    }
}

#[test]
fn a_few_slow_clients_have_their_time_for_a_head_of_any_length() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.number(1);
    let server = TestServer::serving(log.path());
    let slow = (0..5).map(|_| {
        let mut socket = connect([127, 0, 0, 3], server.address()).unwrap();
        std::thread::spawn(move || {
            socket.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n").unwrap();
            for n in 0..25 {
                socket.write_all(format!("X-{n}: {}\r\n", "x".repeat(1000)).as_bytes()).unwrap();
                pause(Duration::from_millis(60));
            }
            socket.write_all(b"Connection: close\r\n\r\n").unwrap();
            let mut text = String::new();
            socket.read_to_string(&mut text).unwrap();
            text
        })
    });
    let slow: Vec<_> = slow.collect();
    for thread in slow {
        let text = thread.join().unwrap();
        assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    }
}
