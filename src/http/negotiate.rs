//! Negotiation: one URL for a log, every kind of client. `Upgrade` beats `format=`, which beats
//! `Accept`.

use tailcast_core::protocol::NDJSON;

use crate::wire::Format;

/// What a client can be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Representation {
    /// A stream in a format.
    Stream(Format),
    /// The page for browsers.
    Viewer,
}

/// The representation that an `Accept` header prefers; `None` if it accepts nothing we offer.
#[must_use]
pub fn accepted(accept: &str) -> Option<Representation> {
    if accept.trim().is_empty() {
        return Some(Representation::Stream(Format::Text));
    }
    let mut best: Option<(f32, Representation)> = None;
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default().to_ascii_lowercase();
        let quality = parts
            .find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")))
            .map_or(1.0, |quality| quality.parse().unwrap_or(0.0));
        let Some(representation) = of_media(&media) else { continue };
        // Of equal preferences the first wins.
        if quality > 0.0 && best.is_none_or(|(best, _)| quality > best) {
            best = Some((quality, representation));
        }
    }
    best.map(|(_, representation)| representation)
}

fn of_media(media: &str) -> Option<Representation> {
    match media {
        "*/*" | "text/*" | "text/plain" => Some(Representation::Stream(Format::Text)),
        "text/html" | "application/xhtml+xml" => Some(Representation::Viewer),
        "text/event-stream" => Some(Representation::Stream(Format::Sse)),
        NDJSON
        | "application/ndjson"
        | "application/json"
        | "application/jsonl"
        | "application/x-jsonlines"
        | "application/*" => Some(Representation::Stream(Format::Ndjson)),
        "application/octet-stream" => Some(Representation::Stream(Format::Raw)),
        _ => None,
    }
}

/// The text of a 406.
pub const OFFERED: &str = "text/plain, application/x-ndjson, text/event-stream, text/html, \
    application/octet-stream";

#[cfg(test)]
mod tests {
    use super::{Format, Representation, accepted};

    #[track_caller]
    fn check(accept: &str, expected: Option<Representation>) {
        assert_eq!(accepted(accept), expected, "{accept}");
    }

    #[test]
    fn each_kind_of_client_gets_its_own() {
        check("", Some(Representation::Stream(Format::Text)));
        check("*/*", Some(Representation::Stream(Format::Text)));
        check("text/plain", Some(Representation::Stream(Format::Text)));
        check("application/x-ndjson", Some(Representation::Stream(Format::Ndjson)));
        check("application/jsonl", Some(Representation::Stream(Format::Ndjson)));
        check("Text/Event-Stream", Some(Representation::Stream(Format::Sse)));
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        check(browser, Some(Representation::Viewer));
        check("image/png", None);
        check("text/html;q=0", None);
        check(
            "image/png, application/json;q=0.5, text/plain;q=0.1",
            Some(Representation::Stream(Format::Ndjson)),
        );
    }
}
