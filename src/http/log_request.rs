//! Log request: what a request asks for, before it is known whether that exists. Names are taken from
//! the path as it was sent, and are looked up in the catalog and nowhere else.

use std::convert::Infallible;

use rocket::http::{Method, RawStr, Status};
use rocket::request::{FromRequest, Outcome, Request};

use crate::http::access::{Admitted, CatalogView};
use crate::http::app_state::AppState;
use crate::http::host::{ClientAddress, Visited};
use crate::http::socket_upgrade::Handshake;

/// The parts of a request that routes look at.
#[derive(Debug)]
pub struct LogRequest {
    /// The name after `/logs/`, decoded; `None` if it cannot be a name: it has an empty, `.` or
    /// `..` part, an encoded slash, a control character, or is not UTF-8.
    pub name: Option<String>,
    /// The query as it was sent.
    pub query: Option<String>,
    /// All `Accept` headers, joined.
    pub accept: String,
    /// The `Last-Event-ID` header, unless it is empty.
    pub last_event_id: Option<String>,
    /// The `Upgrade` and `Connection` headers ask for a WebSocket.
    pub wants_websocket: bool,
    /// The headers of a WebSocket handshake.
    pub handshake: Handshake,
    /// It is a HEAD: no body will be sent.
    pub is_head: bool,
    /// What the requester may see. There is no `LogRequest` without it: unauthenticated requests
    /// are refused earlier.
    pub access: CatalogView,
    /// Where the request came from.
    pub client: ClientAddress,
    /// The scheme and host that the client used.
    pub visited: Visited,
    /// The `Origin` header: the page that sent the request, if a page did.
    pub origin: Option<String>,
}

/// Kept beside a request: Rocket runs the handler of GET for HEAD, and the request then says GET.
#[derive(Clone, Copy, Debug)]
pub struct OriginalMethod(pub Method);

#[rocket::async_trait]
impl<'r> FromRequest<'r> for LogRequest {
    type Error = Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Infallible> {
        let Admitted(access) = match request.guard::<Admitted>().await {
            Outcome::Success(admitted) => admitted,
            Outcome::Error((_, never)) => match never {},
            Outcome::Forward(status) => return Outcome::Forward(status),
        };
        let Some(app) = request.rocket().state::<AppState>() else {
            return Outcome::Forward(Status::InternalServerError);
        };
        let headers = request.headers();
        let has_token = |name: &str, token: &str| {
            headers
                .get(name)
                .flat_map(|value| value.split(','))
                .any(|value| value.trim().eq_ignore_ascii_case(token))
        };
        let method = request.local_cache(|| OriginalMethod(request.method()));
        Outcome::Success(LogRequest {
            name: source_name(request.uri().path().as_str()),
            query: request.uri().query().map(|query| query.as_str().to_owned()),
            accept: headers.get("accept").collect::<Vec<_>>().join(","),
            last_event_id: headers
                .get_one("last-event-id")
                .filter(|id| !id.is_empty())
                .map(str::to_owned),
            wants_websocket: has_token("upgrade", "websocket")
                && has_token("connection", "upgrade"),
            handshake: Handshake {
                key: headers.get_one("sec-websocket-key").map(str::to_owned),
                version: headers.get_one("sec-websocket-version").map(str::to_owned),
                protocols: headers.get("sec-websocket-protocol").collect::<Vec<_>>().join(","),
            },
            is_head: method.0 == Method::Head,
            access,
            client: ClientAddress::of(request, &app.network),
            visited: Visited::of(request, &app.network),
            origin: headers.get_one("origin").map(str::to_owned),
        })
    }
}

/// The source name in a path. SECURITY: a bad one is refused rather than repaired.
fn source_name(path: &str) -> Option<String> {
    let name = path.strip_prefix("/logs/")?;
    let parts = name.split('/').map(|part| {
        let part = RawStr::new(part).percent_decode().ok()?;
        let is_odd = part.is_empty()
            || part == "."
            || part == ".."
            || part.contains(|c: char| c == '/' || c.is_control());
        (!is_odd).then(|| part.into_owned())
    });
    parts.collect::<Option<Vec<_>>>().map(|parts| parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::source_name;

    #[test]
    fn a_name_is_decoded_part_by_part() {
        assert_eq!(source_name("/logs/nginx/access.log").as_deref(), Some("nginx/access.log"));
        assert_eq!(source_name("/logs/a%20b%2A").as_deref(), Some("a b*"));
        // A backslash is an ordinary character in names here: names are looked up, not opened.
        assert_eq!(source_name("/logs/a%5cb").as_deref(), Some("a\\b"));
    }

    #[test]
    fn what_could_leave_a_folder_is_no_name() {
        for path in [
            "/logs/..",
            "/logs/../etc/passwd",
            "/logs/a/../b",
            "/logs/a/./b",
            "/logs/%2e%2e/x",
            "/logs/a%2fb",
            "/logs/a%2Fb",
            "/logs//etc/passwd",
            "/logs/a%00",
            "/logs/%ff",
            "/logs/a/",
            "/logs/",
            "/logs/a%0ab",
        ] {
            assert_eq!(source_name(path), None, "{path}");
        }
    }
}
