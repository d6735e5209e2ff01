//! Log response: what a log's URL is answered with, as a Rocket response.

use bytes::Bytes;
use bytestring::ByteString;
use rocket::http::{ContentType, Header, Status};
use rocket::request::Request;
use rocket::response::stream::{ByteStream, TextStream};
use rocket::response::{self, Responder, Response};

use crate::http::page::ViewerPage;
use crate::http::socket_upgrade::SocketUpgrade;
use crate::http::viewer::Viewer;
use crate::wire::Format;

/// What a log's URL is answered with.
#[derive(Debug)]
pub enum LogResponse {
    /// The page for browsers.
    ViewerPage(ViewerPage),
    /// A stream; without a viewer the request is a HEAD.
    Stream {
        /// The output format.
        format: Format,
        /// The requested name.
        name: String,
        /// The viewer that receives it.
        viewer: Option<Box<Viewer>>,
        /// It is a large download.
        is_long: bool,
    },
    /// A resume with nothing more to come.
    NothingMore,
    /// A WebSocket.
    SocketUpgrade(Box<SocketUpgrade>),
    /// A page of the past.
    Older(Format, Bytes),
}

impl<'r> Responder<'r, 'r> for LogResponse {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'r> {
        match self {
            Self::ViewerPage(page) => page.respond_to(request),
            Self::SocketUpgrade(socket) => Ok(socket.into_response()),
            Self::Older(format, body) => {
                let mut response = Response::new();
                set_headers(&mut response, format);
                response.set_sized_body(body.len(), std::io::Cursor::new(body));
                Ok(response)
            }
            Self::NothingMore => Response::build()
                .status(Status::NoContent)
                .header(Header::new("Cache-Control", "no-store"))
                .ok(),
            Self::Stream { format, name, viewer, is_long } => {
                let mut response = match (format, viewer) {
                    (_, None) => Response::new(),
                    (Format::Raw, Some(viewer)) => raw_stream(viewer).respond_to(request)?,
                    (Format::Text | Format::Ndjson | Format::Sse, Some(viewer)) => {
                        text_stream(viewer).respond_to(request)?
                    }
                };
                set_headers(&mut response, format);
                if request.headers().contains("accept-encoding") {
                    response.set_header(Header::new("Content-Encoding", "identity"));
                }
                if format == Format::Raw {
                    response.set_header(Header::new("Content-Disposition", disposition(&name)));
                }
                response.set_max_chunk_size(if is_long { LONG_CHUNK_BYTES } else { CHUNK_BYTES });
                Ok(response)
            }
        }
    }
}

/// Sets the headers common to every response in a format.
fn set_headers(response: &mut Response<'_>, format: Format) {
    response.set_header(content_type(format));
    for (header, value) in STREAM_HEADERS {
        response.set_header(Header::new(header, value));
    }
}

fn text_stream(mut viewer: Box<Viewer>) -> TextStream<impl futures_util::Stream<Item = Text>> {
    TextStream::from(rocket::async_stream::stream! {
        while let Some(bytes) = viewer.next().await {
            yield Text::from(bytes);
        }
    })
}

/// Shared text in the shape that `TextStream` takes.
#[derive(Debug)]
pub struct Text(ByteString);

impl From<Bytes> for Text {
    fn from(bytes: Bytes) -> Self {
        let lossy = |bytes: &Bytes| ByteString::from(String::from_utf8_lossy(bytes).into_owned());
        Text(ByteString::try_from(bytes.clone()).unwrap_or_else(|_not_text| lossy(&bytes)))
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

fn raw_stream(mut viewer: Box<Viewer>) -> ByteStream<impl futures_util::Stream<Item = Bytes>> {
    ByteStream::from(rocket::async_stream::stream! {
        while let Some(bytes) = viewer.next().await {
            yield bytes;
        }
    })
}

fn content_type(format: Format) -> ContentType {
    match format {
        Format::Text => ContentType::Plain,
        Format::Ndjson => ContentType::new("application", "x-ndjson"),
        Format::Sse => ContentType::EventStream,
        Format::Raw => ContentType::Binary,
    }
}

/// The source's name as a file name: in ASCII for old clients, and as it is (RFC 6266, RFC 8187).
fn disposition(name: &str) -> String {
    let file_name = name.replace('/', "_");
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let ascii: String = file_name.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
    let mut encoded = String::new();
    for byte in file_name.bytes() {
        if is_plain(char::from(byte)) && byte.is_ascii() {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    format!("attachment; filename=\"{ascii}\"; filename*=UTF-8''{encoded}")
}

/// What every proxy needs on a stream. For clients that accept compression `Content-Encoding:
/// identity` is set as well: nginx, and Caddy before 2.7, compress in spite of `no-transform`, and
/// Caddy then buffers it.
const STREAM_HEADERS: [(&str, &str); 3] = [
    ("Cache-Control", "no-store, no-transform"),
    ("X-Accel-Buffering", "no"),
    ("X-Content-Type-Options", "nosniff"),
];

/// Rocket copies a stream through a buffer of this size, one for each response; larger ones carry
/// more a write, and cost memory.
const CHUNK_BYTES: usize = 12 * 1024;

/// The buffer size of large downloads.
const LONG_CHUNK_BYTES: usize = 32 * 1024;
