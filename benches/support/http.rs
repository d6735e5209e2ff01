//! HTTP: the little that is asked beside the streams.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::body::Framing;

/// A request for `path` on a connection that is not used again; one that begins with
/// [`WEBSOCKET`] is a handshake.
pub(crate) fn request(path: &str) -> String {
    if let Some(path) = path.strip_prefix(WEBSOCKET) {
        return format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
    }
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
}

/// The whole answer's body.
pub(crate) fn get(address: SocketAddr, path: &str) -> anyhow::Result<String> {
    let mut body = Vec::new();
    read(address, path, |piece| {
        body.extend_from_slice(piece);
        false
    })?;
    Ok(String::from_utf8(body)?)
}

/// How long it takes from before the connect to the first byte of a line.
pub(crate) fn time_to_first_line(address: SocketAddr, path: &str) -> anyhow::Result<Duration> {
    let begun = Instant::now();
    let mut first = None;
    read(address, path, |piece| {
        if memchr::memmem::find(piece, b"seq=").is_some() {
            first.get_or_insert_with(|| begun.elapsed());
        }
        first.is_some()
    })?;
    first.with_context(|| format!("no line came for {path}"))
}

/// Calls for each piece of the body, until `is_enough`.
fn read(
    address: SocketAddr,
    path: &str,
    mut is_enough: impl FnMut(&[u8]) -> bool,
) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(request(path).as_bytes())?;
    let (mut head, mut framing) = (Vec::new(), None);
    let mut buffer = vec![0; 64 * 1024];
    let mut done = false;
    while !done {
        let n_read = stream.read(&mut buffer).with_context(|| format!("GET {path}"))?;
        if n_read == 0 {
            break;
        }
        head.extend_from_slice(&buffer[..n_read]);
        if framing.is_none() {
            let Some(at) = memchr::memmem::find(&head, b"\r\n\r\n") else { continue };
            let rest = head.split_off(at + 4);
            let text = String::from_utf8_lossy(&head).into_owned();
            let (status, found) = Framing::of_head(&text)?;
            anyhow::ensure!(status == 200, "{path}: {text}");
            (head, framing) = (rest, Some(found));
        }
        if let Some(framing) = &mut framing {
            framing.take(&head, |piece| done |= is_enough(piece), |_pong| {})?;
            head.clear();
            done |= *framing == Framing::Ended;
        }
    }
    Ok(())
}

/// The server's metrics: sums over all labels, by name.
pub(crate) fn metrics(address: SocketAddr) -> anyhow::Result<BTreeMap<String, f64>> {
    let mut sums = BTreeMap::new();
    for line in get(address, "/metrics")?.lines().filter(|line| !line.starts_with('#')) {
        let Some((name, value)) = line.rsplit_once(' ') else { continue };
        let name = name.split('{').next().unwrap_or(name);
        *sums.entry(name.to_owned()).or_default() += value.parse::<f64>().unwrap_or(f64::NAN);
    }
    Ok(sums)
}

/// What a path begins with that is asked for as a WebSocket.
pub(crate) const WEBSOCKET: &str = "ws:";

const PATIENCE: Duration = Duration::from_secs(20);
