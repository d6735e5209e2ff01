//! Login: the login page and its forms. Every link between the pages is relative, so that it works
//! under any path prefix of a proxy.

use percent_encoding::percent_decode_str;
use rocket::form::{Form, FromForm};
use rocket::http::{ContentType, Header, Status};
use rocket::outcome::Outcome;
use rocket::request::{FromRequest, Request};
use rocket::response::{self, Responder, Response};
use rocket::{State, get, post};

use crate::auth::{AuthError, AuthenticatedUser, Principal};
use crate::http::access::Admitted;
use crate::http::app_state::AppState;
use crate::http::host::{self, ClientAddress, Visited};
use crate::http::identity::{self, SESSION_COOKIE};
use crate::http::log_request::OriginalMethod;
use crate::http::negotiate::{self, Representation};
use crate::http::problem::Problem;

/// The submitted form fields.
#[derive(FromForm)]
pub struct LoginForm {
    name: String,
    password: String,
    next: Option<String>,
}

/// A form sent by one of our own pages, and its client.
#[derive(Debug)]
pub struct OwnForm {
    client: ClientAddress,
    is_secure: bool,
    /// The session secrets that the browser has already.
    secrets: Vec<String>,
}

/// The login page, or a redirect.
#[derive(Debug)]
pub enum LoginAnswer {
    /// The page, with the error of the last attempt, if any.
    Page {
        /// The status.
        status: Status,
        /// The page to open afterwards; relative to the root, checked.
        next: String,
        /// The error, one sentence.
        problem: Option<String>,
        /// How long to wait before another attempt.
        retry_after: Option<u32>,
        /// The user that is logged in already.
        user: Option<String>,
    },
    /// A redirect.
    Away {
        /// Relative to this one.
        to: String,
        /// The cookie to set.
        cookie: Option<String>,
    },
}

/// The redirect to the login page, for a browser without a login.
#[must_use]
pub fn redirect_to_login(request: &Request<'_>, app: &AppState) -> Option<LoginAnswer> {
    let headers = request.headers();
    let accept = headers.get("accept").collect::<Vec<_>>().join(",");
    let is_person = negotiate::accepted(&accept) == Some(Representation::Viewer);
    let is_get =
        request.local_cache(|| OriginalMethod(request.method())).0 == rocket::http::Method::Get;
    if !is_person || !is_get || headers.contains("authorization") || !app.auth.policy().has_users()
    {
        return None;
    }
    let path = request.uri().path().as_str().trim_start_matches('/');
    let query = request.uri().query().map_or(String::new(), |query| format!("?{query}"));
    let root = "../".repeat(path.matches('/').count());
    let root = if root.is_empty() { "./" } else { &root };
    let next = encoded(&format!("{path}{query}"));
    Some(LoginAnswer::Away { to: format!("{root}login?next={next}"), cookie: None })
}

/// The login page.
#[get("/login?<next>")]
pub fn page(
    next: Option<&str>,
    principal: Option<Admitted>,
    app: &State<AppState>,
) -> Result<LoginAnswer, Problem> {
    if !app.auth.policy().has_users() {
        let detail = "there is nobody who logs in with a password; `tailcast user add` adds one";
        return Err(Problem::new(Status::NotFound, detail));
    }
    let user = principal.and_then(|Admitted(access)| match access.principal() {
        Principal::User(AuthenticatedUser { name, method: _ }) if access.is_session() => {
            Some(name.to_string())
        }
        Principal::User(_) | Principal::Anyone | Principal::Token { .. } => None,
    });
    let next = checked(next.unwrap_or_default());
    Ok(LoginAnswer::Page { status: Status::Ok, next, problem: None, retry_after: None, user })
}

/// Handles the login form.
#[post("/login", data = "<typed>")]
pub async fn log_in(
    form: OwnForm,
    typed: Form<LoginForm>,
    app: &State<AppState>,
) -> Result<LoginAnswer, Problem> {
    let LoginForm { name, password, next } = typed.into_inner();
    let next = checked(next.as_deref().unwrap_or_default());
    let address = form.client.limited_address();
    let known = app.auth.check_password(&name, &password, address).await;
    match known.and_then(|visitor| app.auth.log_in(&visitor)) {
        Ok(secret) => {
            form.secrets.iter().for_each(|old| app.auth.log_out(old));
            let seconds = app.auth.policy().session_lifetime.as_secs();
            let cookie = cookie(&secret, seconds, form.is_secure);
            Ok(LoginAnswer::Away { to: format!("./{next}"), cookie: Some(cookie) })
        }
        Err(refusal) => {
            tracing::info!(client = %form.client, %refusal, "nobody was logged in");
            Ok(refused(&refusal, next))
        }
    }
}

/// Logs this browser out.
#[must_use]
#[post("/logout")]
pub fn log_out(form: OwnForm, app: &State<AppState>) -> LoginAnswer {
    form.secrets.iter().for_each(|secret| app.auth.log_out(secret));
    let cookie = cookie("", 0, form.is_secure);
    LoginAnswer::Away { to: "./login".to_owned(), cookie: Some(cookie) }
}

fn refused(refusal: &AuthError, next: String) -> LoginAnswer {
    let problem = identity::of_refusal(refusal);
    let status = if *refusal == AuthError::Wrong { Status::Forbidden } else { problem.status() };
    let said = match refusal {
        AuthError::Wrong => "The name or the password is not right.".to_owned(),
        AuthError::Expired | AuthError::TooOften(_) | AuthError::Busy | AuthError::Failed => {
            format!("Not now: {}.", problem.detail())
        }
    };
    let retry_after = problem.seconds_to_wait();
    LoginAnswer::Page { status, next, problem: Some(said), retry_after, user: None }
}

/// No path: the browser then uses that of the page, with whatever prefix a proxy adds.
fn cookie(secret: &str, seconds: u64, is_secure: bool) -> String {
    let secure = if is_secure { "; Secure" } else { "" };
    format!("{SESSION_COOKIE}={secret}; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}")
}

/// SECURITY: where to go after a login, relative to the root: one of our own pages, whatever was
/// requested. `./` before it keeps a scheme or a host out of it.
fn checked(next: &str) -> String {
    let is_plain = |c: char| c.is_ascii_graphic() && !matches!(c, '\\' | '"' | '<' | '>' | '\'');
    let path = next.split(['?', '#']).next().unwrap_or_default();
    // To a browser `%2e` is a dot in a path, and to some proxies `%2f` is a slash.
    let path = percent_decode_str(path).decode_utf8_lossy();
    let is_ours = path.is_empty() || path == "logs" || path.starts_with("logs/");
    let has_odd_part = path.split(['/', '\\']).any(|part| part == "." || part == "..");
    let is_fine = next.len() <= MAX_NEXT_BYTES && next.chars().all(is_plain);
    if is_fine && is_ours && !has_odd_part && !path.contains("//") {
        next.to_owned()
    } else {
        String::new()
    }
}

fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'/') {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for OwnForm {
    type Error = Problem;

    /// SECURITY: a form of another site's must not log anybody in or out. Browsers say where a form
    /// comes from, and `SameSite` keeps the cookie from those of other sites.
    async fn from_request(request: &'r Request<'_>) -> rocket::request::Outcome<Self, Self::Error> {
        let Some(app) = request.rocket().state::<AppState>() else {
            return Outcome::Forward(Status::InternalServerError);
        };
        let visited = Visited::of(request, &app.network);
        let origin = request.headers().get_one("origin");
        let fetch_site = request.headers().get_one("sec-fetch-site");
        let is_own = match (fetch_site, origin) {
            (Some(fetch_site), _) => fetch_site == "same-origin" || fetch_site == "none",
            (None, Some(origin)) => host::is_allowed_origin(origin, &visited, &app.network),
            (None, None) => true,
        };
        if !is_own {
            let detail = "this form was sent by another site";
            request.local_cache(|| CrossSite(Some(Problem::new(Status::Forbidden, detail))));
            return Outcome::Forward(Status::Forbidden);
        }
        Outcome::Success(OwnForm {
            client: ClientAddress::of(request, &app.network),
            is_secure: visited.is_secure,
            secrets: identity::session_secrets(request).map(str::to_owned).collect(),
        })
    }
}

/// Cached with a request whose form another site has sent.
struct CrossSite(Option<Problem>);

/// Why the form was refused.
#[must_use]
pub fn refusal<'r>(request: &'r Request<'_>) -> Option<&'r Problem> {
    request.local_cache(|| CrossSite(None)).0.as_ref()
}

impl<'r> Responder<'r, 'static> for LoginAnswer {
    fn respond_to(self, _request: &'r Request<'_>) -> response::Result<'static> {
        let mut response = Response::build();
        match self {
            Self::Away { to, cookie } => {
                response.status(Status::SeeOther).header(Header::new("Location", to));
                if let Some(cookie) = cookie {
                    response.header(Header::new("Set-Cookie", cookie));
                }
            }
            Self::Page { status, next, problem, retry_after, user } => {
                let part = |is_shown: bool| if is_shown { "" } else { "hidden" };
                let html = PAGE
                    .replace("{{next}}", &escaped(&next))
                    .replace("{{problem}}", &escaped(problem.as_deref().unwrap_or_default()))
                    .replace("{{user}}", &escaped(user.as_deref().unwrap_or_default()))
                    .replace("{{in}}", part(user.is_some()))
                    .replace("{{out}}", part(user.is_none()));
                response
                    .status(status)
                    .header(ContentType::HTML)
                    .header(Header::new("Content-Security-Policy", POLICY))
                    .header(Header::new("Vary", "Cookie"))
                    .sized_body(html.len(), std::io::Cursor::new(html));
                if let Some(seconds) = retry_after {
                    response.header(Header::new("Retry-After", seconds.to_string()));
                }
            }
        }
        response.ok()
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

impl std::fmt::Debug for LoginForm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Typed").field("name", &self.name).finish_non_exhaustive()
    }
}

const PAGE: &str = include_str!("../../static/login.html");
const POLICY: &str = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'self'";
const MAX_NEXT_BYTES: usize = 4096;

#[cfg(test)]
mod tests {
    use super::checked;

    #[test]
    fn the_way_on_leads_to_our_own_pages_alone() {
        for next in ["", "logs", "logs/a/b.log?tail=5&grep=a%20b", "?x=1", "logs/a%2e%2eb/x"] {
            assert_eq!(checked(next), next);
        }
        for next in [
            "//evil.example",
            "https://evil.example",
            "javascript:alert(1)",
            "/logs/a",
            "logs/../../evil",
            "logs/%2e%2e/x",
            "logs/.%2E/x",
            "logs/%2E%2e?x",
            "logs/..%2f..%2fevil",
            "logs/%2e%2e%5cevil",
            "logs/%2fevil.example",
            "logs//evil.example",
            "\\\\evil.example",
            "logs\r\nSet-Cookie: a=b",
            "logs/\"><script>",
            "logsevil",
        ] {
            assert_eq!(checked(next), "", "{next}");
        }
    }
}
