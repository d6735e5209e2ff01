//! App state: what the routes of one server share.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::auth::Auth;
use crate::config::NetworkConfig;
use crate::http::access::GuardedCatalog;
use crate::http::admission::Admission;
use crate::http::connections::Connections;
use crate::http::departures::Departures;
use crate::http::source_events::Boards;
use crate::http::statuses::Statuses;
use crate::line::Zone;
use crate::listener::descriptors::Descriptors;
use crate::metrics::Metrics;

/// What the routes of one server share.
#[derive(Clone, Debug)]
pub struct AppState {
    /// All sources, shut: routes see them through an asker's access.
    pub shelf: GuardedCatalog,
    /// Who may come in.
    pub auth: Arc<Auth>,
    /// The proxies in front, the sites around, and the limits.
    pub network: Arc<NetworkConfig>,
    /// The names by which this server may be called where nobody is asked, in lower case.
    pub hosts: Arc<Vec<String>>,
    /// Which connections speak.
    pub connections: Arc<Connections>,
    /// The sockets of these; none where the system does not let them be looked at, and before the start.
    pub descriptors: Arc<OnceLock<Arc<Descriptors>>>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// For times that tell no zone.
    pub zone: Arc<Zone>,
    /// Where nobody says otherwise.
    pub heartbeat: Duration,
    /// A reader that takes nothing for this long is ended; none: it is kept.
    pub stall_limit: Option<Duration>,
    /// How many viewers there may be.
    pub admission: Arc<Admission>,
    /// Ends all streams, and makes the server not ready.
    pub closing: CancellationToken,
    /// Why lines may arrive late just now.
    pub degraded: DegradedCheck,
    /// Whose answer is not wanted any more.
    pub departures: Arc<Departures>,
    /// For lists of all sources.
    pub statuses: Arc<Statuses>,
    /// For those who watch the list.
    pub boards: Arc<Boards>,
}

/// Asks why lines may arrive late.
#[derive(Clone)]
pub struct DegradedCheck(pub Arc<dyn Fn() -> Vec<String> + Send + Sync>);

impl std::fmt::Debug for DegradedCheck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DegradedCheck")
    }
}
