//! Names that both ends must spell alike.

/// The WebSocket subprotocol.
pub const SUBPROTOCOL: &str = "tailcast.v1";

/// The media type of a stream or page of records, one JSON object a line.
pub const NDJSON: &str = "application/x-ndjson";
