//! HTTP: the routes, and what guards them. It knows sources, followers and formats; it never sees
//! a path or a file.
//!
//! Every request and response passes `gate`. `host` finds out where a request came from, and is the only
//! reader of forwarded headers; `identity` has the ways to authenticate, `login` the browser's, `origin`
//! the check of other sites' pages. `access` is the catalog as one user sees it. `admission` limits
//! viewers; `connections` counts connections, those without a request (`pending`), and the requests of
//! clients behind a proxy (`under_way`). `log_request`, `query` and `negotiate` take a request apart,
//! `problem` is every error. `viewer` is one stream, `outlet` shows whether its client takes what it is
//! given, and `departures` whether a client has left while its response is prepared. `source_events` is the
//! list as it changes, written once for all who may read the same.

pub mod access;
pub mod admission;
pub mod app_state;
pub mod connections;
pub mod departures;
pub mod gate;
pub mod health;
pub mod host;
pub mod identity;
pub mod log_request;
pub mod log_response;
pub mod login;
pub mod logs;
pub mod negotiate;
pub mod older;
pub mod origin;
pub mod outlet;
pub mod page;
pub mod problem;
pub mod query;
pub mod socket_upgrade;
pub mod source_events;
pub mod sources;
pub mod statuses;
pub mod viewer;

use rocket::figment::Figment;
use rocket::http::{Method, Status};
use rocket::request::Request;
use rocket::shield::{Frame, Shield};
use rocket::{Build, Rocket, catch, catchers, routes};

use crate::http::app_state::AppState;
use crate::http::gate::Gate;
use crate::http::log_request::OriginalMethod;
use crate::http::login::LoginAnswer;
use crate::http::page::files::PageFiles;
use crate::http::problem::Problem;

/// The whole server: every route there is.
#[must_use]
pub fn server(figment: Figment, app: AppState) -> Rocket<Build> {
    rocket::custom(figment)
        .manage(app)
        .manage(PageFiles::load())
        .mount(
            "/",
            routes![
                logs::logs,
                sources::root,
                sources::list,
                sources::api,
                health::healthz,
                health::readyz,
                health::metrics,
                page::asset,
                login::page,
                login::log_in,
                login::log_out,
                gate::refused,
                gate::preflight,
            ],
        )
        .register("/", catchers![not_found, not_known, failed])
        // The gate says which sites may show the pages in a frame.
        .attach(Shield::default().disable::<Frame>())
        .attach(Gate)
}

/// Rocket answers 404 for an unknown method on a known path, too.
#[catch(404)]
fn not_found(request: &Request<'_>) -> Problem {
    let method = request.local_cache(|| OriginalMethod(request.method())).0;
    if method != Method::Get && method != Method::Head {
        let detail = format!("{method} is not allowed here; expected GET or HEAD");
        return Problem::new(Status::MethodNotAllowed, detail);
    }
    let path = problem::printable(request.uri().path().as_str());
    Problem::new(Status::NotFound, format!("there is nothing at {path}; logs are at /logs/<name>"))
}

/// Sends a browser to the login page.
#[catch(401)]
fn not_known(request: &Request<'_>) -> Result<LoginAnswer, Problem> {
    let app = request.rocket().state::<AppState>();
    let redirect = app.and_then(|app| login::redirect_to_login(request, app));
    redirect.ok_or_else(|| failed(Status::Unauthorized, request))
}

#[catch(default)]
fn failed(status: Status, request: &Request<'_>) -> Problem {
    // Not admitted: no valid credentials, too many failures, or a form sent by another site.
    let refusal = login::refusal(request).or_else(|| access::refusal(request));
    if let Some(problem) = refusal.filter(|problem| problem.status() == status) {
        return problem.clone();
    }
    if status == Status::InternalServerError {
        tracing::error!("a request handler has failed");
    }
    let detail = format!("the request was refused: {}", status.reason_lossy());
    Problem::new(status, detail)
}
