//! Origin: from which pages a WebSocket may be opened. Browsers let any page open one to anywhere
//! and send the visitor's credentials along, so the server has to look (RFC 6455, section 10.2).

use rocket::http::Status;

use crate::http::problem::{Problem, printable};

/// Refuses a handshake that another site's page has begun. `origin`: what the browser says (none: it
/// is no browser), `host`: the name the request was sent to, `allowed`: origins that are let in
/// besides.
pub fn check(origin: Option<&str>, host: Option<&str>, allowed: &[String]) -> Result<(), Problem> {
    let Some(origin) = origin else { return Ok(()) };
    let is_listed =
        allowed.iter().any(|listed| listed.trim_end_matches('/').eq_ignore_ascii_case(origin));
    if is_listed || host.is_some_and(|host| is_same(origin, host)) {
        return Ok(());
    }
    let (origin, host) = (printable(origin), printable(host.unwrap_or("no host")));
    let detail = format!(
        "the page was loaded from `{origin}`, and this WebSocket was sent to `{host}`: a proxy in front \
         has to pass the name on, nginx with `proxy_set_header Host $http_host;`; another site's pages \
         are let in by `origins = [\"{origin}\"]`"
    );
    Err(Problem::new(Status::Forbidden, detail))
}

/// Whether an origin is that of a host; where one tells no port, its scheme's is meant.
fn is_same(origin: &str, host: &str) -> bool {
    let Some((scheme, authority)) = origin.split_once("://") else { return false };
    let port = match scheme.to_ascii_lowercase().as_str() {
        "http" | "ws" => ":80",
        "https" | "wss" => ":443",
        _ => return false,
    };
    let bare = |name: &str| name.strip_suffix(port).unwrap_or(name).to_ascii_lowercase();
    bare(authority) == bare(host)
}

#[cfg(test)]
mod tests {
    use super::{check, is_same};

    #[test]
    fn the_same_host_and_port_are_the_same_origin() {
        assert!(is_same("http://127.0.0.1:8000", "127.0.0.1:8000"));
        assert!(is_same("https://Logs.example", "logs.example"));
        assert!(is_same("https://logs.example", "logs.example:443"));
        assert!(is_same("http://[::1]:8000", "[::1]:8000"));
        for (origin, host) in [
            ("http://evil.example", "logs.example"),
            ("http://logs.example:8001", "logs.example:8000"),
            ("http://logs.example.evil", "logs.example"),
            ("null", "logs.example"),
            ("file://", "logs.example"),
        ] {
            assert!(!is_same(origin, host), "{origin} {host}");
        }
    }

    #[test]
    fn both_hosts_and_the_cure_are_named() {
        let problem = check(Some("https://a.example"), Some("b.example"), &[]).unwrap_err();
        let text = format!("{problem:?}");
        for part in ["https://a.example", "b.example", "proxy_set_header Host $http_host;"] {
            assert!(text.contains(part), "{text}");
        }
        assert!(check(Some("https://a.example"), Some("b"), &["https://a.example".into()]).is_ok());
        assert!(check(None, Some("b.example"), &[]).is_ok());
    }
}
