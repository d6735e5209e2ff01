//! Identity: authenticates a request. Every kind of credential is parsed here, and no secret goes
//! further than `auth`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rocket::http::Status;
use rocket::mtls::Certificate;
use rocket::outcome::Outcome;
use rocket::request::Request;

use crate::auth::{AuthError, AuthMethod, AuthenticatedUser, Principal, tokens};
use crate::http::app_state::AppState;
use crate::http::host::{ClientAddress, holds};
use crate::http::problem::Problem;

/// The cookie of a login in a browser.
pub const SESSION_COOKIE: &str = "tailcast_session";

/// The principal behind `request`; a problem if its credentials are missing or wrong.
pub async fn identify(
    request: &Request<'_>,
    app: &AppState,
    client: &ClientAddress,
) -> Result<Principal, Problem> {
    let policy = app.auth.policy();
    if !policy.requires_auth {
        return Ok(Principal::Anyone);
    }
    let named = by_header(request, app, client)?;
    let mut shown = request.headers().get("authorization");
    let credentials = shown.next();
    if shown.next().is_some() {
        let detail = "there are two `Authorization` headers; expected one";
        return Err(Problem::new(Status::BadRequest, detail));
    }
    match (named, credentials) {
        // Credentials for the proxy itself are ignored; a token of ours is checked.
        (Some(visitor), credentials) if !credentials.is_some_and(is_token) => {
            return Ok(Principal::User(visitor));
        }
        (_, Some(credentials)) => return by_credentials(credentials, app, client).await,
        (_, None) => {}
    }
    if let Some(principal) = session_secrets(request).find_map(|secret| app.auth.session(secret)) {
        return Ok(principal);
    }
    if let Some(visitor) = by_certificate(request).await {
        return Ok(Principal::User(visitor));
    }
    Err(Problem::unauthorized("authentication required"))
}

/// The session secrets that the browser sends. SECURITY: another site below the same domain, or
/// another program on the same host, can put a cookie of this name in front of ours.
pub fn session_secrets<'r>(request: &'r Request<'_>) -> impl Iterator<Item = &'r str> {
    let cookies = request.headers().get("cookie").flat_map(|cookies| cookies.split(';'));
    let pairs = cookies.filter_map(|cookie| cookie.trim().split_once('='));
    pairs
        .filter(|(name, _)| *name == SESSION_COOKIE)
        .map(|(_, secret)| secret)
        .take(MAX_SESSION_COOKIES)
}

fn scheme_and_rest(shown: &str) -> (&str, &str) {
    let (scheme, rest) = shown.trim().split_once(' ').unwrap_or((shown.trim(), ""));
    (scheme, rest.trim())
}

/// Whether this is one of our tokens; a proxy may forward one of its own (a JWT).
fn is_token(shown: &str) -> bool {
    let (scheme, text) = scheme_and_rest(shown);
    scheme.eq_ignore_ascii_case("bearer") && tokens::id_of(text).is_some()
}

async fn by_credentials(
    shown: &str,
    app: &AppState,
    client: &ClientAddress,
) -> Result<Principal, Problem> {
    let (scheme, credentials) = scheme_and_rest(shown);
    let address = client.limited_address();
    let principal = match scheme.to_ascii_lowercase().as_str() {
        "bearer" => app.auth.check_token(credentials),
        "basic" => {
            let decoded = STANDARD.decode(credentials).ok().and_then(|b| String::from_utf8(b).ok());
            let Some((name, password)) = decoded.as_deref().and_then(|text| text.split_once(':'))
            else {
                return Err(Problem::unauthorized("the `Authorization` header makes no sense"));
            };
            app.auth.check_password(name, password, address).await.map(Principal::User)
        }
        _other => {
            let detail = "the `Authorization` header is of another kind; expected Basic or Bearer";
            return Err(Problem::unauthorized(detail));
        }
    };
    principal.map_err(|refusal| {
        tracing::info!(%client, %refusal, "nobody was let in");
        of_refusal(&refusal)
    })
}

/// The problem that a client gets for an authentication error.
#[must_use]
pub fn of_refusal(refusal: &AuthError) -> Problem {
    match refusal {
        AuthError::Wrong => Problem::unauthorized("the name, password or token is not right"),
        AuthError::Expired => Problem::unauthorized("the token has expired; expected a newer one"),
        AuthError::TooOften(left) => {
            let seconds = u32::try_from(left.as_secs()).unwrap_or(u32::MAX).saturating_add(1);
            let detail = format!("too many failed attempts; try again in {seconds} s");
            Problem::new(Status::TooManyRequests, detail).retry_after(seconds)
        }
        AuthError::Busy => {
            Problem::new(Status::ServiceUnavailable, "too many logins at once").retry_after(2)
        }
        AuthError::Failed => {
            Problem::new(Status::ServiceUnavailable, "the login could not be checked; try again")
                .retry_after(5)
        }
    }
}

/// SECURITY: a header names the user only on a connection from a listed proxy; from any other peer
/// it is ignored.
fn by_header(
    request: &Request<'_>,
    app: &AppState,
    client: &ClientAddress,
) -> Result<Option<AuthenticatedUser>, Problem> {
    let policy = app.auth.policy();
    let Some(login) = &policy.header_login else { return Ok(None) };
    let is_believed =
        client.peer.is_some_and(|peer| login.from.iter().any(|network| holds(network, peer.ip())));
    if !is_believed {
        return Ok(None);
    }
    // A proxy may add its header beside the client's instead of replacing it.
    for header in [&login.user, &login.groups] {
        if request.headers().get(header).nth(1).is_some() {
            let detail = format!("there are two `{header}` headers; expected the proxy's alone");
            return Err(Problem::new(Status::BadRequest, detail));
        }
    }
    let name = request.headers().get_one(&login.user).map(str::trim);
    let Some(name) = name.filter(|name| !name.is_empty()) else { return Ok(None) };
    let groups = request.headers().get(&login.groups).flat_map(|value| value.split(','));
    let groups = groups.map(str::trim).filter(|group| !group.is_empty()).map(str::to_owned);
    let method = AuthMethod::Header { groups: groups.collect() };
    Ok(Some(AuthenticatedUser { name: name.into(), method }))
}

/// The subject's common name of a certificate that our authority has signed.
async fn by_certificate(request: &Request<'_>) -> Option<AuthenticatedUser> {
    let Outcome::Success(certificate) = request.guard::<Certificate<'_>>().await else {
        return None;
    };
    let name = certificate.subject().common_name()?.trim();
    (!name.is_empty())
        .then(|| AuthenticatedUser { name: name.into(), method: AuthMethod::Certificate })
}

/// About as many as browsers keep for one domain.
const MAX_SESSION_COOKIES: usize = 200;
