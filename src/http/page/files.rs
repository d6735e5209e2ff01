//! Files: what is in `static`, byte for byte, and the same compressed. In release it is embedded in the
//! binary and compressed once, at start; a debug build reads a file again that was edited meanwhile.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Cursor;

use bytes::Bytes;
use miniz_oxide::deflate::compress_to_vec;
use rocket::http::Header;
use rocket::request::Request;
use rocket::response::Builder;
use rust_embed::{EmbeddedFile, RustEmbed};

/// The folder.
#[derive(RustEmbed)]
#[folder = "static"]
struct StaticFolder;

/// All files of the page by their names, and the page itself by the way back to the root.
#[derive(Clone, Debug)]
pub struct PageFiles {
    files: BTreeMap<String, PageFile>,
    pages: BTreeMap<String, PageFile>,
}

impl PageFiles {
    /// All files, compressed.
    #[must_use]
    pub fn load() -> Self {
        let files: BTreeMap<_, _> = StaticFolder::iter()
            .filter_map(|name| {
                let found = StaticFolder::get(&name)?;
                Some((name.into_owned(), PageFile::new(found)))
            })
            .collect();
        let bases = (1..=PREPARED_DEPTH).map(|n_up| "../".repeat(n_up));
        let pages = bases.filter_map(|base| {
            let page = files.get(INDEX)?.with_base(&base)?;
            Some((base, page))
        });
        PageFiles { pages: pages.collect(), files }
    }

    /// The page as it is at the root, or with another base.
    pub(super) fn page(&self, base: &str) -> Option<EncodedBody> {
        let index = self.get(INDEX)?;
        if base == ROOT {
            return Some(index.body);
        }
        let prepared = self.pages.get(base).filter(|page| page.hash == index.hash);
        Some(prepared.cloned().or_else(|| index.with_base(base))?.body)
    }

    /// SECURITY: a name is only looked up among the page's own files.
    pub(super) fn get(&self, name: &str) -> Option<PageFile> {
        let known = self.files.get(name)?;
        let current = StaticFolder::get(name)?;
        let is_edited = current.metadata.sha256_hash() != known.hash;
        Some(if is_edited { PageFile::new(current) } else { known.clone() })
    }
}

/// One of them.
#[derive(Clone, Debug)]
pub(super) struct PageFile {
    pub(super) body: EncodedBody,
    hash: [u8; 32],
}

impl PageFile {
    fn new(file: EmbeddedFile) -> Self {
        let hash = file.metadata.sha256_hash();
        let plain = match file.data {
            Cow::Borrowed(embedded) => Bytes::from_static(embedded),
            Cow::Owned(read) => Bytes::from(read),
        };
        PageFile { body: EncodedBody::new(plain), hash }
    }

    /// The page with another base than the root's.
    fn with_base(&self, base: &str) -> Option<Self> {
        let html = String::from_utf8_lossy(&self.body.plain);
        let (before, after) = html.split_once(BASE_AT_ROOT)?;
        let tag = BASE_AT_ROOT.replace(ROOT, base);
        let body = EncodedBody::new(Bytes::from([before, &tag, after].concat()));
        Some(PageFile { body, hash: self.hash })
    }

    /// Names the content, the same on every server that has it. Weak: of both encodings.
    pub(super) fn etag(&self) -> String {
        let tag = self.hash.first_chunk().map_or(0, |bytes| u128::from_be_bytes(*bytes));
        format!("W/\"{tag:032x}\"")
    }
}

/// Bytes to send, plain and as gzip.
#[derive(Clone, Debug)]
pub(super) struct EncodedBody {
    plain: Bytes,
    gzip: Bytes,
}

impl EncodedBody {
    fn new(plain: Bytes) -> Self {
        let gzip = Bytes::from(gzip(&plain));
        EncodedBody { plain, gzip }
    }

    /// Puts them into a response, in an encoding that the client takes.
    pub(super) fn send(self, request: &Request<'_>, response: &mut Builder<'_>) {
        let sent = if takes_gzip(request.headers().get("accept-encoding")) {
            response.header(Header::new("Content-Encoding", "gzip"));
            self.gzip
        } else {
            self.plain
        };
        response.sized_body(sent.len(), Cursor::new(sent));
    }
}

/// RFC 1952: one member, without a name or time.
fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut packed = vec![0x1f, 0x8b, DEFLATE, 0, 0, 0, 0, 0, SMALLEST, UNKNOWN_SYSTEM];
    packed.extend(compress_to_vec(plain, LEVEL));
    packed.extend(crc32fast::hash(plain).to_le_bytes());
    // The length modulo 2^32.
    packed.extend(plain.len().to_le_bytes().iter().take(4));
    packed
}

/// What `Accept-Encoding` says of gzip (RFC 9110, 12.5.3): its own word counts more than that of `*`.
fn takes_gzip<'a>(accepted: impl Iterator<Item = &'a str>) -> bool {
    let mut others = false;
    for coding in accepted.flat_map(|value| value.split(',')) {
        let (name, parameter) = coding.split_once(';').unwrap_or((coding, ""));
        let weight = parameter.trim().trim_start_matches(['q', 'Q']).trim_start_matches('=');
        let is_taken = weight.is_empty() || weight.parse::<f32>().is_ok_and(|weight| weight > 0.0);
        match name.trim().to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => return is_taken,
            "*" => others = is_taken,
            _ => {}
        }
    }
    others
}

const INDEX: &str = "index.html";
const BASE_AT_ROOT: &str = "<base href=\"./\" />";
/// The base at the root.
pub(super) const ROOT: &str = "./";
/// Deeper pages are rare, and compressed for each request.
const PREPARED_DEPTH: usize = 8;

const DEFLATE: u8 = 8;
const SMALLEST: u8 = 2;
const UNKNOWN_SYSTEM: u8 = 255;
const LEVEL: u8 = 9;

#[cfg(test)]
mod tests {
    use super::takes_gzip;

    #[test]
    fn gzip_is_sent_to_those_who_take_it() {
        for accepted in ["gzip", "GZIP", "br, gzip;q=0.5", "deflate,x-gzip", "*", "*;q=0, gzip"] {
            assert!(takes_gzip([accepted].into_iter()), "{accepted}");
        }
        for accepted in ["", "br", "identity", "gzip;q=0", "gzip; q=0.000", "*;q=0", "*, gzip;q=0"]
        {
            assert!(!takes_gzip([accepted].into_iter()), "{accepted}");
        }
        assert!(takes_gzip(["br", "gzip"].into_iter()));
        assert!(!takes_gzip(std::iter::empty()));
    }
}
