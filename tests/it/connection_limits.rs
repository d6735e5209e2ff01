//! How many connections one address may have, and how fast it may make them. This host is not
//! limited, so these clients come from an address of this machine that is not its loopback.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use super::support::{Answer, LogFolder, Options, Request, TestServer, wait_until};

/// An address of this machine; nothing is sent to find it out.
fn own_address() -> IpAddr {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.connect("192.0.2.1:9").expect("this test needs an address beside the loopback's");
    socket.local_addr().unwrap().ip()
}

/// A server that is reached from beyond this host, and where.
fn start(keys: &str) -> (LogFolder, TestServer, SocketAddr) {
    let (folder, mut log) = LogFolder::with_log("app.log");
    log.number(1);
    let server = Options::serving([log.path()])
        .argument("--insecure")
        .argument("--address")
        .argument("0.0.0.0")
        .config(&format!("[default.tailcast]\n{keys}\n"))
        .start();
    let address = SocketAddr::new(own_address(), server.address().port());
    (folder, server, address)
}

/// Asks on a connection that stays open; the status, and what else was answered so far.
fn ask(socket: &mut TcpStream) -> (u16, String) {
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    if socket.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").is_err() {
        return (0, "closed".to_owned());
    }
    let mut buffer = [0; 4096];
    let n_bytes = socket.read(&mut buffer).unwrap_or(0);
    let text = String::from_utf8_lossy(&buffer[..n_bytes]).into_owned();
    let status = text.get(9..12).and_then(|status| status.parse().ok()).unwrap_or(0);
    (status, text)
}

#[test]
fn an_address_that_connects_too_fast_is_slowed_down() {
    let (_folder, server, address) = start("max_connections_per_second = 5");
    let mut refused = (0..60).map(|_| Answer::to(address, &Request::get("/")));
    let refused = refused.find(|answer| answer.status == 429).expect("nobody was refused");
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert!(refused.text().contains("5 connections a second"), "{}", refused.text());
    let local = SocketAddr::from(([127, 0, 0, 1], server.address().port()));
    let is_served = || Answer::to(local, &Request::get("/")).status == 200;
    assert!((0..60).all(|_| is_served()), "this host is not limited");
    wait_until("it may come again", || Answer::to(address, &Request::get("/")).status == 200);
}

#[test]
fn each_connection_counts_even_if_all_come_from_one_port() {
    let (_folder, _server, address) = start("max_connections_per_second = 5");
    let mut own = None;
    let mut n_refused = 0;
    for _ in 0..60 {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
        socket.set_reuse_address(true).unwrap();
        let port = own.unwrap_or(0);
        socket.bind(&SocketAddr::new(address.ip(), port).into()).unwrap();
        own = Some(socket.local_addr().unwrap().as_socket().unwrap().port());
        // A reset leaves nothing behind that would keep the port.
        socket.set_linger(Some(Duration::ZERO)).unwrap();
        if socket.connect(&address.into()).is_err() {
            // The server has closed first, and the kernel keeps the pair of ports for a while.
            own = None;
            continue;
        }
        let (status, text) = ask(&mut TcpStream::from(socket));
        assert!([200, 429].contains(&status), "{text}");
        n_refused += usize::from(status == 429);
        assert!(status == 200 || text.contains("5 connections a second"), "{text}");
    }
    assert!(n_refused >= 20, "{n_refused} of 60 were refused");
    wait_until("it may come again", || Answer::to(address, &Request::get("/")).status == 200);
}

#[test]
fn one_address_has_only_so_many_connections_at_a_time() {
    let keys = "max_connections_per_address = 20\nmax_connections_per_second = 1000";
    let (_folder, server, address) = start(keys);
    let mut held: Vec<TcpStream> = Vec::new();
    for _ in 0..20 {
        let mut socket = TcpStream::connect(address).unwrap();
        assert_eq!(ask(&mut socket).0, 200);
        held.push(socket);
    }
    for _ in 0..10 {
        let mut socket = TcpStream::connect(address).unwrap();
        let (status, text) = ask(&mut socket);
        assert_eq!(status, 429, "{text}");
        assert!(text.to_ascii_lowercase().contains("connection: close"), "{text}");
        assert!(text.contains("all 20 connections of this address"), "{text}");
    }
    // Those that are there notice nothing, and this host is not limited.
    assert!(held.iter_mut().all(|socket| ask(socket).0 == 200));
    let local = SocketAddr::from(([127, 0, 0, 1], server.address().port()));
    let mut others: Vec<_> = (0..40).map(|_| TcpStream::connect(local).unwrap()).collect();
    assert!(others.iter_mut().all(|socket| ask(socket).0 == 200));
    drop(held);
    wait_until("there is room again", || ask(&mut TcpStream::connect(address).unwrap()).0 == 200);
}

#[test]
fn people_behind_one_proxy_open_the_page_together() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.number(1);
    let server = Options::serving([log.path()])
        .config("[default.tailcast]\ntrusted_proxies = [\"127.0.0.1\"]\n")
        .start();
    // Each request on a connection of its own, as nginx does it unless it is told otherwise.
    std::thread::scope(|scope| {
        for _ in 0..5 {
            scope.spawn(|| {
                for _ in 0..40 {
                    let request = Request::get("/").header("X-Forwarded-For", "203.0.113.5");
                    assert_eq!(server.get(request).status, 200);
                }
            });
        }
    });
}

#[test]
fn a_client_behind_a_proxy_has_only_so_many_requests_under_way() {
    let (_folder, mut log) = LogFolder::with_log("app.log");
    log.number(1);
    let keys = "trusted_proxies = [\"127.0.0.1\"]\nmax_connections_per_address = 3";
    let server =
        Options::serving([log.path()]).config(&format!("[default.tailcast]\n{keys}\n")).start();
    let from = |address: &str| Request::get("/logs/app.log").header("X-Forwarded-For", address);
    let first = server.follow(from("203.0.113.5"));
    let _others: Vec<_> = (0..2).map(|_| server.follow(from("203.0.113.5"))).collect();
    let answer = server.get(from("203.0.113.5"));
    assert_eq!(answer.status, 429);
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert!(answer.text().contains("3 requests of this address"), "{}", answer.text());
    // Others behind the proxy, the proxy itself and its probes are not concerned.
    let _other = server.follow(from("203.0.113.6"));
    let _own: Vec<_> = (0..4).map(|_| server.follow("/logs/app.log")).collect();
    let probe = Request::get("/healthz").header("X-Forwarded-For", "203.0.113.5");
    assert_eq!(server.get(probe).status, 200);
    drop(first);
    let short = Request::get("/logs/app.log?follow=false");
    let short = short.header("X-Forwarded-For", "203.0.113.5");
    wait_until("there is room again", || {
        // A client that has left is noticed at the next line.
        log.number(1);
        server.get(short.clone()).status == 200
    });
}
