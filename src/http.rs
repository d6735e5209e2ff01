//! HTTP: the routes, and what guards them. It knows sources, followers and formats; it never sees
//! a path or a file.

pub mod asked;
pub mod health;
pub mod logs;
pub mod negotiate;
pub mod older;
pub mod origin;
pub mod page;
pub mod problem;
pub mod query;
pub mod site;
pub mod socket;
pub mod sources;
pub mod viewer;

use rocket::fairing::AdHoc;
use rocket::figment::Figment;
use rocket::http::{Method, Status};
use rocket::request::Request;
use rocket::{Build, Rocket, catch, catchers, routes};

use crate::http::asked::OriginalMethod;
use crate::http::problem::Problem;
use crate::http::site::Site;

/// The whole server: every route there is.
#[must_use]
pub fn server(figment: Figment, site: Site) -> Rocket<Build> {
    rocket::custom(figment)
        .manage(site)
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
            ],
        )
        .register("/", catchers![not_found, failed])
        .attach(AdHoc::on_request("original method", |request, _data| {
            Box::pin(async move {
                let method = request.method();
                request.local_cache(|| OriginalMethod(method));
            })
        }))
}

/// Rocket says 404 also of a method that no route has.
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

#[catch(default)]
fn failed(status: Status, _request: &Request<'_>) -> Problem {
    if status == Status::InternalServerError {
        tracing::error!("a request handler has failed");
    }
    let detail = format!("the request was refused: {}", status.reason_lossy());
    Problem::new(status, detail)
}
