//! `GET /healthz`, `/readyz` and `/metrics`: the state of the server itself.

use rocket::http::{ContentType, Status};
use rocket::{State, get};

use crate::http::access::Admitted;
use crate::http::app_state::AppState;
use crate::http::problem::Problem;

/// The process is up.
#[must_use]
#[get("/healthz")]
pub fn healthz() -> (ContentType, &'static str) {
    (ContentType::Plain, "ok\n")
}

/// Whether to route requests to this server: not while shutting down. `degraded`, with reasons,
/// while lines may arrive late.
#[get("/readyz")]
pub fn readyz(app: &State<AppState>) -> Result<(ContentType, String), Problem> {
    if app.closing.is_cancelled() {
        return Err(Problem::new(Status::ServiceUnavailable, "the server is shutting down"));
    }
    let reasons = (app.degraded.0)();
    let text = match reasons.as_slice() {
        [] => "ready\n".to_owned(),
        // The reasons name folders, and this route requires no authentication.
        _named if app.auth.policy().requires_auth => "degraded\n".to_owned(),
        reasons => format!("degraded\n{}\n", reasons.join("\n")),
    };
    Ok((ContentType::Plain, text))
}

/// The counters, for Prometheus.
#[get("/metrics")]
pub fn metrics(
    admitted: Admitted,
    app: &State<AppState>,
) -> Result<(ContentType, String), Problem> {
    if !admitted.0.may_read_metrics() {
        let detail = "reading the metrics needs a rule or a token with `metrics = true`";
        return Err(Problem::new(Status::Forbidden, detail));
    }
    let n_sources = app.catalog.n_sources();
    app.metrics.sources.set(n_sources.try_into().unwrap_or(i64::MAX));
    let text = app.metrics.render().map_err(|error| {
        tracing::error!(%error, "the metrics could not be written");
        Problem::new(Status::ServiceUnavailable, "the metrics could not be written").retry_after(5)
    })?;
    let content_type =
        ContentType::new("text", "plain").with_params([("version", "0.0.4"), ("charset", "utf-8")]);
    Ok((content_type, text))
}
