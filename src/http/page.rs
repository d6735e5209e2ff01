//! Page: the viewer for people. What is in `static` is what runs, without its comments: embedded in
//! the binary in release, read from the disk in debug. Every URL in it is relative to a `<base>` that leads from the page's
//! own depth back to the root, so that the page works under any path a proxy puts before it.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use rocket::get;
use rocket::http::{ContentType, Header, Status};
use rocket::request::Request;
use rocket::response::{self, Responder, Response};
use rust_embed::RustEmbed;

use crate::http::problem::Problem;

mod bare;

/// The page's files.
#[derive(RustEmbed)]
#[folder = "static"]
struct PageFiles;

/// The viewer's page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewerPage {
    /// The way from the page back to the root.
    base: String,
}

impl ViewerPage {
    /// The page at the root.
    #[must_use]
    pub fn at_root() -> Self {
        ViewerPage { base: "./".to_owned() }
    }

    /// The page at `/logs`, or at `/logs/`, which is one step deeper.
    #[must_use]
    pub fn at_list(path: &str) -> Self {
        let base = if path.ends_with('/') { "../" } else { "./" };
        ViewerPage { base: base.to_owned() }
    }

    /// The page at `/logs/<name>`.
    #[must_use]
    pub fn at_log(name: &str) -> Self {
        ViewerPage { base: "../".repeat(name.split('/').count()) }
    }

    fn html(&self) -> Option<String> {
        let index = PageFiles::get(INDEX)?;
        let text = bare::without_comments(&String::from_utf8_lossy(&index.data));
        Some(text.replace("{{base}}", &self.base).replace("{{modules}}", &module_links()))
    }
}

/// A link for each module that is not imported by the first one: the browser asks for all of them at
/// once, not import by import.
fn module_links() -> String {
    let is_deep = |file: &Cow<'_, str>| DEEP_FOLDERS.iter().any(|folder| file.starts_with(folder));
    let mut modules: Vec<_> = PageFiles::iter().filter(is_deep).collect();
    modules.sort_unstable();
    let link =
        |file: &Cow<'_, str>| format!("<link rel=\"modulepreload\" href=\"static/{file}\">\n");
    modules.iter().map(link).collect()
}

impl<'r> Responder<'r, 'static> for ViewerPage {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let Some(html) = self.html() else {
            let problem = Problem::new(Status::NotFound, "the page's files are not there");
            return problem.respond_to(request);
        };
        Response::build()
            .header(ContentType::HTML)
            .header(Header::new("Content-Security-Policy", POLICY))
            .header(Header::new("Cache-Control", "no-cache"))
            .header(Header::new("Vary", "Accept"))
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
    body: String,
    etag: String,
}

/// The page's scripts, style and icon. SECURITY: a name is only looked up among the page's own files.
#[get("/static/<file..>")]
pub fn asset(file: Option<PathBuf>) -> Result<Asset, Problem> {
    find(file.as_deref()).ok_or_else(|| {
        Problem::new(Status::NotFound, "the page has no such file; its files are at /static/")
    })
}

/// A file that the page loads, but for the template that the server fills in.
fn find(file: Option<&Path>) -> Option<Asset> {
    let name = file?.to_str()?;
    let found =
        PageFiles::iter().find(|known| known == name).and_then(|known| PageFiles::get(&known))?;
    let text = String::from_utf8_lossy(&found.data);
    let (content_type, body) = match name.rsplit_once('.')?.1 {
        "css" => (ContentType::CSS, bare::without_spaces(&text)),
        "js" => (ContentType::JavaScript, bare::without_comments(&text)),
        "svg" => (ContentType::SVG, text.into_owned()),
        _ => return None,
    };
    let hash = found.metadata.sha256_hash();
    let etag = u128::from_be_bytes(*hash.first_chunk()?);
    Some(Asset { content_type, body, etag: format!("\"{etag:032x}\"") })
}

impl<'r> Responder<'r, 'static> for Asset {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let known = request.headers().get("if-none-match").flat_map(|tags| tags.split(','));
        let is_known = known
            .map(|tag| tag.trim().trim_start_matches("W/"))
            .any(|tag| tag == self.etag || tag == "*");
        let mut response = Response::build();
        response
            .header(Header::new("Cache-Control", "no-cache"))
            .header(Header::new("ETag", self.etag))
            .header(Header::new("X-Content-Type-Options", "nosniff"));
        if is_known {
            return response.status(Status::NotModified).ok();
        }
        response
            .header(self.content_type)
            .sized_body(self.body.len(), std::io::Cursor::new(self.body))
            .ok()
    }
}

const INDEX: &str = "index.html";

/// Their modules are imported by others than `viewer.js`.
const DEEP_FOLDERS: [&str; 3] = ["model/", "stream/", "text/"];

/// `data:` is for the tab's icon, on which the page paints how many lines are new.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
    img-src 'self' data:; base-uri 'self'; form-action 'none'";
