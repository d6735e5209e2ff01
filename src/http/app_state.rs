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
    /// All sources; routes see them only through a
    /// [`CatalogView`](crate::http::access::CatalogView).
    pub catalog: GuardedCatalog,
    /// Users, tokens and rules.
    pub auth: Arc<Auth>,
    /// Listed proxies, allowed origins, and limits.
    pub network: Arc<NetworkConfig>,
    /// The host names accepted where no authentication is required, in lower case.
    pub hosts: Arc<Vec<String>>,
    /// The connections of this server.
    pub connections: Arc<Connections>,
    /// Their sockets; `None` where the system does not let them be inspected, and before the start.
    pub descriptors: Arc<OnceLock<Arc<Descriptors>>>,
    /// The Prometheus metrics.
    pub metrics: Arc<Metrics>,
    /// The zone for times without one.
    pub zone: Arc<Zone>,
    /// The default heartbeat interval.
    pub heartbeat: Duration,
    /// A viewer that reads nothing for this long is ended; `None`: it is kept.
    pub stall_limit: Option<Duration>,
    /// Limits on the number of viewers.
    pub admission: Arc<Admission>,
    /// Ends all streams, and makes the server not ready.
    pub closing: CancellationToken,
    /// The reasons why lines may currently arrive late.
    pub degraded: DegradedCheck,
    /// Watches for clients that disconnect while their response is being prepared.
    pub departures: Arc<Departures>,
    /// The last known status of each source.
    pub statuses: Arc<Statuses>,
    /// The source lists that are being watched.
    pub boards: Arc<Boards>,
}

/// Returns the reasons why lines may arrive late.
#[derive(Clone)]
pub struct DegradedCheck(pub Arc<dyn Fn() -> Vec<String> + Send + Sync>);

impl std::fmt::Debug for DegradedCheck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DegradedCheck")
    }
}
