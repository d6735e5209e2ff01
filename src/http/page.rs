//! Page: the viewer for people. What is in `static` is what is sent; every URL in it is relative to a
//! `<base>` that leads from the page's own depth back to the root, so that the page works under any path
//! a proxy puts before it. Only that base is ever changed.

use std::path::{Path, PathBuf};

use rocket::http::{ContentType, Header, Status};
use rocket::request::Request;
use rocket::response::{self, Responder, Response};
use rocket::{State, get};

use crate::http::page::files::{PageFile, PageFiles, ROOT};
use crate::http::problem::Problem;

pub mod files;

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
        ViewerPage { base: ROOT.to_owned() }
    }

    /// The page at `/logs`, or at `/logs/`, which is one step deeper.
    #[must_use]
    pub fn at_list(path: &str) -> Self {
        let base = if path.ends_with('/') { "../" } else { ROOT };
        ViewerPage { base: base.to_owned() }
    }

    /// The page at `/logs/<name>`.
    #[must_use]
    pub fn at_log(name: &str) -> Self {
        ViewerPage { base: "../".repeat(name.split('/').count()) }
    }
}

impl<'r> Responder<'r, 'static> for ViewerPage {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let files = request.rocket().state::<PageFiles>();
        let Some(body) = files.and_then(|files| files.page(&self.base)) else {
            let problem = Problem::new(Status::NotFound, "the page's files are not there");
            return problem.respond_to(request);
        };
        let mut response = Response::build();
        response
            .header(ContentType::HTML)
            .header(Header::new("Content-Security-Policy", POLICY))
            .header(Header::new("Cache-Control", "no-cache"))
            .header(Header::new("Vary", "Accept, Accept-Encoding"))
            .header(Header::new("X-Content-Type-Options", "nosniff"))
            .header(Header::new("Referrer-Policy", "same-origin"));
        body.send(request, &mut response);
        response.ok()
    }
}

/// A file of the page.
#[derive(Clone, Debug)]
pub struct Asset {
    content_type: ContentType,
    file: PageFile,
}

/// The page's scripts, styles and icon.
#[get("/static/<file..>")]
pub fn asset(file: Option<PathBuf>, files: &State<PageFiles>) -> Result<Asset, Problem> {
    find(file.as_deref(), files).ok_or_else(|| {
        Problem::new(Status::NotFound, "the page has no such file; its files are at /static/")
    })
}

/// A file that the page loads; a page is no such file, and has a URL of its own.
fn find(file: Option<&Path>, files: &PageFiles) -> Option<Asset> {
    let name = file?.to_str()?;
    let content_type = match name.rsplit_once('.')?.1 {
        "css" => ContentType::CSS,
        "js" => ContentType::JavaScript,
        "svg" => ContentType::SVG,
        _ => return None,
    };
    Some(Asset { content_type, file: files.get(name)? })
}

impl<'r> Responder<'r, 'static> for Asset {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let etag = self.file.etag();
        let mut known = request.headers().get("if-none-match").flat_map(|tags| tags.split(','));
        let is_known = known.any(|tag| tag.trim() == etag || tag.trim() == "*");
        let mut response = Response::build();
        response
            .header(Header::new("Cache-Control", "no-cache"))
            .header(Header::new("ETag", etag))
            .header(Header::new("Vary", "Accept-Encoding"))
            .header(Header::new("X-Content-Type-Options", "nosniff"));
        if is_known {
            return response.status(Status::NotModified).ok();
        }
        response.header(self.content_type);
        self.file.body.send(request, &mut response);
        response.ok()
    }
}

/// `data:` is for the tab's icon, on which the page paints how many lines are new.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
    img-src 'self' data:; base-uri 'self'; form-action 'none'";
