//! Client: follows a log of a Tailcast server from anywhere, and loses no line on the way.
//!
//! A [`Follow`] connects by WebSocket (`tailcast.v1`), plain or over TLS, and by NDJSON over HTTP
//! where a proxy refuses that. It reconnects for ever, and resumes after the last line it had.
//!
//! ```no_run
#![doc = include_str!("../examples/follow.rs")]
//! ```
//!
//! Nothing piles up: while the next event is not requested, nothing is read from the connection,
//! and the server waits. The connection is kept alive meanwhile.

// `follow` has the states of one log: waiting, opening, open, ended. `opening` is one try, in a task of its
// own; `connect` and `tls` make one socket; `transport` has the tasks that read and write a WebSocket or
// NDJSON, and the queue between; `fallback` decides which of the two. `record` takes messages apart without
// copying, `places` knows where to continue, `backoff` when. `target`, `query` and `options` are what is
// asked, and of whom; `request` and `sources` are plain HTTP.

mod backoff;
mod connect;
mod event;
mod fallback;
mod follow;
mod opening;
mod options;
mod query;
mod record;
mod request;
mod sources;
mod stream_position;
mod target;
mod tls;
mod transport;

use std::sync::Arc;

pub use crate::connect::{ConnectError, Seconds, Socket, connect};
pub use crate::event::{
    End, EndReason, Event, FallenBack, Gap, Heartbeat, Missed, Reconnecting, Resumed, Rotated,
    Start,
};
pub use crate::follow::{Follow, FollowError};
pub use crate::options::{HeaderError, Options, parse_header};
pub use crate::query::Query;
pub use crate::record::{Batch, Record};
pub use crate::request::USER_AGENT;
pub use crate::sources::{ListError, SourceList, SourceStatus};
pub use crate::stream_position::StreamPosition;
pub use crate::target::{Target, UrlError};
pub use crate::tls::{Tls, Trust, TrustError};

use crate::opening::Settings;

/// Makes connections to servers, all with the same options. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    settings: Arc<Settings>,
}

impl Client {
    /// A client; nothing is connected yet.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Client { settings: Arc::new(Settings::new(options)) }
    }

    /// Follows the log, or with a glob the logs, that a URL names (`http`, `https`, `ws` or `wss`).
    /// Connects when the first event is requested.
    pub fn follow(&self, url: &str, query: Query) -> Result<Follow, UrlError> {
        let target = Target::log(url)?;
        Ok(Follow::new(Arc::clone(&self.settings), target, &query))
    }

    /// The list of a server's sources.
    pub async fn sources(&self, url: &str) -> Result<SourceList, ListError> {
        sources::list(Arc::clone(&self.settings), Target::lists(url)?).await
    }
}
