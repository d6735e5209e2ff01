//! Origin: from which pages a WebSocket may be opened. Browsers let any page open one to anywhere
//! and send the visitor's credentials along, so the server has to look (RFC 6455, section 10.2).

use rocket::http::Status;

use crate::config::NetworkConfig;
use crate::http::host::{self, Visited};
use crate::http::problem::{Problem, printable};

/// Refuses a handshake that another site's page has started. `origin`: what the browser sent
/// (`None`: the client is not a browser).
pub fn check(
    origin: Option<&str>,
    visited: &Visited,
    network: &NetworkConfig,
) -> Result<(), Problem> {
    let Some(origin) = origin else { return Ok(()) };
    if host::is_allowed_origin(origin, visited, network) {
        return Ok(());
    }
    let (origin, host) = (printable(origin), printable(&visited.host));
    let detail = format!(
        "the page was loaded from `{origin}`, and this WebSocket was sent to `{host}`: a proxy in front \
         has to pass the name on, nginx with `proxy_set_header Host $http_host;`; another site's pages \
         are let in by `origins = [\"{origin}\"]`"
    );
    Err(Problem::new(Status::Forbidden, detail))
}
