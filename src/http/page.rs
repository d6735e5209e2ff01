//! Page: the viewer for people. Its files are embedded in the binary; every URL in them is relative
//! to a `<base>` that leads from the page's own depth back to the root, so that the page works under
//! any path a proxy puts before it.

use rocket::get;
use rocket::http::{ContentType, Header, Status};
use rocket::request::Request;
use rocket::response::{self, Responder, Response};

use crate::http::problem::Problem;

/// The viewer's page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The way from the page back to the root.
    base: String,
}

impl Page {
    /// The page at the root.
    #[must_use]
    pub fn at_root() -> Self {
        Page { base: "./".to_owned() }
    }

    /// The page at `/logs`, or at `/logs/`, which is one step deeper.
    #[must_use]
    pub fn at_list(path: &str) -> Self {
        let base = if path.ends_with('/') { "../" } else { "./" };
        Page { base: base.to_owned() }
    }

    /// The page at `/logs/<name>`.
    #[must_use]
    pub fn at_log(name: &str) -> Self {
        Page { base: "../".repeat(name.split('/').count()) }
    }
}

impl<'r> Responder<'r, 'static> for Page {
    fn respond_to(self, _request: &'r Request<'_>) -> response::Result<'static> {
        let html = INDEX.replace("{{base}}", &self.base);
        Response::build()
            .header(ContentType::HTML)
            .header(Header::new("Content-Security-Policy", POLICY))
            .header(Header::new("Cache-Control", "no-cache"))
            .header(Header::new("X-Content-Type-Options", "nosniff"))
            .header(Header::new("Referrer-Policy", "same-origin"))
            .sized_body(html.len(), std::io::Cursor::new(html))
            .ok()
    }
}

/// A file of the page.
#[derive(Clone, Debug)]
pub struct Asset {
    content_type: ContentType,
    body: &'static str,
}

/// The page's script and style.
#[get("/static/<file>")]
pub fn asset(file: &str) -> Result<Asset, Problem> {
    let (content_type, body) = match file {
        "login.css" => (ContentType::CSS, include_str!("../../static/login.css")),
        "viewer.js" => (ContentType::JavaScript, include_str!("../../static/viewer.js")),
        "viewer.css" => (ContentType::CSS, include_str!("../../static/viewer.css")),
        _ => return Err(Problem::new(Status::NotFound, "the page has no such file")),
    };
    Ok(Asset { content_type, body })
}

impl<'r> Responder<'r, 'static> for Asset {
    fn respond_to(self, _request: &'r Request<'_>) -> response::Result<'static> {
        Response::build()
            .header(self.content_type)
            .header(Header::new("Cache-Control", "no-cache"))
            .header(Header::new("X-Content-Type-Options", "nosniff"))
            .sized_body(self.body.len(), std::io::Cursor::new(self.body))
            .ok()
    }
}

const INDEX: &str = include_str!("../../static/index.html");
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
    img-src 'self'; base-uri 'self'; form-action 'none'";
