//! The gate: what every request has to pass before a route sees it, and what every answer carries.
//! A refused request is rewritten to a hidden route, so no route can forget the check.

use rocket::fairing::{Fairing, Info, Kind};
use rocket::http::uri::Origin;
use rocket::http::{Header, Method, Status};
use rocket::request::Request;
use rocket::{Data, Response, State, get};

use crate::http::app_state::AppState;
use crate::http::connections::{Excess, ProxiedRequestGuard};
use crate::http::host::{self, ClientAddress};
use crate::http::log_request::OriginalMethod;
use crate::http::problem::{Problem, printable};

/// Refuses bad requests, and sets the common response headers.
#[derive(Debug, Default)]
pub struct Gate;

/// Whether to close the connection after this response, as its address has too many.
struct EndsConnection(bool);

/// Counts a request that came through a listed proxy for as long as it is being answered.
struct ProxiedRequest(Option<ProxiedRequestGuard>);

/// Why a request was refused at the gate.
struct Refused(Option<Problem>);

#[rocket::async_trait]
impl Fairing for Gate {
    fn info(&self) -> Info {
        Info { name: "gate", kind: Kind::Request | Kind::Response }
    }

    async fn on_request(&self, request: &mut Request<'_>, _data: &mut Data<'_>) {
        let method = request.method();
        request.local_cache(|| OriginalMethod(method));
        let Some(app) = request.rocket().state::<AppState>() else { return };
        let Err(problem) = pass(request, app) else { return };
        request.local_cache(|| Refused(Some(problem)));
        // A HEAD stays a HEAD: its response has no body.
        if method != Method::Head {
            request.set_method(Method::Get);
        }
        request.set_uri(Origin::path_only(REFUSED));
    }

    async fn on_response<'r>(&self, request: &'r Request<'_>, response: &mut Response<'r>) {
        let Some(app) = request.rocket().state::<AppState>() else { return };
        if request.local_cache(|| EndsConnection(false)).0 {
            response.set_header(Header::new("Connection", "close"));
        }
        for (name, value) in ON_EVERYTHING {
            if !response.headers().contains(name) {
                response.set_header(Header::new(name, value));
            }
        }
        let policy = response.headers().get_one("Content-Security-Policy");
        let policy = policy.unwrap_or("default-src 'none'; base-uri 'none'; form-action 'none'");
        let ancestors = app.network.frame_ancestors.join(" ");
        let ancestors = if ancestors.is_empty() { "'none'".to_owned() } else { ancestors };
        let policy = format!("{policy}; frame-ancestors {ancestors}");
        response.set_header(Header::new("Content-Security-Policy", policy));
        share(request, response, app);
    }
}

/// Sets the CORS headers for listed sites.
fn share(request: &Request<'_>, response: &mut Response<'_>, app: &AppState) {
    if app.network.origins.is_empty() {
        return;
    }
    response.adjoin_header(Header::new("Vary", "Origin"));
    let origin = request.headers().get_one("origin");
    if let Some(origin) = origin.filter(|origin| host::is_listed_origin(origin, &app.network)) {
        response.set_header(Header::new("Access-Control-Allow-Origin", origin.to_owned()));
        response.set_header(Header::new("Access-Control-Allow-Credentials", "true"));
    }
}

/// A CORS preflight request.
#[rocket::options("/<_..>")]
pub fn preflight(origin: FromOrigin, app: &State<AppState>) -> Result<(Status, Allowed), Problem> {
    if origin.0.is_some_and(|origin| host::is_listed_origin(&origin, &app.network)) {
        return Ok((Status::NoContent, Allowed));
    }
    let detail = "OPTIONS is not allowed here; expected GET or HEAD, or the origin of a site that \
                  is listed in `origins`";
    Err(Problem::new(Status::MethodNotAllowed, detail))
}

/// The `Origin` header.
#[derive(Debug)]
pub struct FromOrigin(Option<String>);

#[rocket::async_trait]
impl<'r> rocket::request::FromRequest<'r> for FromOrigin {
    type Error = std::convert::Infallible;

    async fn from_request(request: &'r Request<'_>) -> rocket::request::Outcome<Self, Self::Error> {
        let origin = request.headers().get_one("origin").map(str::to_owned);
        rocket::request::Outcome::Success(FromOrigin(origin))
    }
}

/// The CORS headers for a listed site.
#[derive(Debug)]
pub struct Allowed;

impl<'r> rocket::response::Responder<'r, 'static> for Allowed {
    fn respond_to(self, _request: &'r Request<'_>) -> rocket::response::Result<'static> {
        Response::build()
            .header(Header::new("Access-Control-Allow-Methods", "GET, HEAD"))
            .header(Header::new("Access-Control-Allow-Headers", "Authorization, Last-Event-ID"))
            .header(Header::new("Access-Control-Max-Age", "600"))
            .ok()
    }
}

/// Reports why a request was refused. Requested directly, it is a 404 like any unknown path.
#[must_use]
#[get("/.refused")]
pub fn refused(reason: RefusedReason) -> Problem {
    reason.0
}

/// Why this request was refused.
#[derive(Debug)]
pub struct RefusedReason(Problem);

#[rocket::async_trait]
impl<'r> rocket::request::FromRequest<'r> for RefusedReason {
    type Error = std::convert::Infallible;

    async fn from_request(request: &'r Request<'_>) -> rocket::request::Outcome<Self, Self::Error> {
        match &request.local_cache(|| Refused(None)).0 {
            Some(problem) => rocket::request::Outcome::Success(RefusedReason(problem.clone())),
            None => rocket::request::Outcome::Forward(Status::NotFound),
        }
    }
}

/// All checks that a request has to pass before routing.
fn pass(request: &Request<'_>, app: &AppState) -> Result<(), Problem> {
    let client = ClientAddress::of(request, &app.network);
    let excess = client.peer.and_then(|peer| app.connections.note_request(peer));
    if let Some(excess) = excess {
        request.local_cache(|| EndsConnection(true));
        let network = &app.network;
        let detail = match excess {
            Excess::Rate => {
                let limit = network.max_connections_per_second;
                format!("more than {limit} connections a second from this address")
            }
            Excess::Number => {
                let limit = network.max_connections_per_address;
                format!("all {limit} connections of this address are taken")
            }
        };
        return Err(Problem::new(Status::TooManyRequests, detail).retry_after(1));
    }
    let is_probe = PROBES.contains(&request.uri().path().as_str());
    if client.is_behind_proxy
        && !is_probe
        && let Some(address) = client.limited_address()
    {
        let guard = app.connections.admit_proxied(address);
        if request.local_cache(|| ProxiedRequest(guard)).0.is_none() {
            let limit = app.network.max_connections_per_address;
            let detail = format!("{limit} requests of this address are being answered already");
            return Err(Problem::new(Status::TooManyRequests, detail).retry_after(1));
        }
    }
    refuse_size(request)?;
    if is_probe { Ok(()) } else { refuse_host(request, app) }
}

fn refuse_size(request: &Request<'_>) -> Result<(), Problem> {
    let uri = request.uri();
    let url_bytes = uri.path().len() + uri.query().map_or(0, |query| query.len() + 1);
    if url_bytes > MAX_URL_BYTES {
        let detail = format!("a URL of {url_bytes} bytes; expected at most {MAX_URL_BYTES}");
        return Err(Problem::new(Status::UriTooLong, detail));
    }
    let header_bytes: usize =
        request.headers().iter().map(|header| header.name.len() + header.value.len() + 4).sum();
    if header_bytes > MAX_HEADER_BYTES {
        let detail =
            format!("headers of {header_bytes} bytes; expected at most {MAX_HEADER_BYTES}");
        return Err(Problem::new(Status::RequestHeaderFieldsTooLarge, detail));
    }
    Ok(())
}

/// SECURITY: a foreign page can make its own host name resolve to us (DNS rebinding), and would
/// then read the logs like one of our pages. Where no authentication is required, the host name has
/// to be a known one.
fn refuse_host(request: &Request<'_>, app: &AppState) -> Result<(), Problem> {
    let mut hosts = request.headers().get("host");
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        let detail = "expected exactly one `Host` header";
        return Err(Problem::new(Status::BadRequest, detail));
    };
    let Some(name) = host::host_name(host) else {
        let detail = format!("`{}` is no host; expected a name or address", printable(host));
        return Err(Problem::new(Status::BadRequest, detail));
    };
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    let is_known = name == "localhost"
        || name.parse::<std::net::IpAddr>().is_ok()
        || app.hosts.contains(&name)
        || app.auth.policy().requires_auth;
    if is_known {
        return Ok(());
    }
    let detail = format!(
        "this server does not know itself as `{}`; if it is meant to be reached by that name, add \
         it to `hosts = [\"{name}\"]` in its configuration",
        printable(&name)
    );
    Err(Problem::new(Status::MisdirectedRequest, detail))
}

const ON_EVERYTHING: [(&str, &str); 3] = [
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "same-origin"),
];

const REFUSED: &str = "/.refused";
const PROBES: [&str; 2] = ["/healthz", "/readyz"];
const MAX_URL_BYTES: usize = 8 * 1024;
const MAX_HEADER_BYTES: usize = 32 * 1024;
