//! Server: assembles the parts, runs them, and stops them in order: streams end with a goodbye,
//! then Rocket stops, then the catalog, the hub and the feeds.

mod watching;

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use prometheus::IntCounter;
use rocket::fairing::AdHoc;
use rocket::{Orbit, Rocket, Shutdown};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::auth::Auth;
use crate::auth::reload::ReadConfig;
use crate::catalog::Catalog;
use crate::catalog::pattern::SourcePattern;
use crate::config::{Config, RedactSpec};
use crate::disk::Disks;
use crate::feed::FeedContext;
use crate::feed::troubles::Troubles;
use crate::file::files::SharedFiles;
use crate::file::own_files::OwnFiles;
use crate::file::watch_hub::WatchHub;
use crate::file::{FileContext, FileSource, Redactors};
use crate::http;
use crate::http::access::GuardedCatalog;
use crate::http::admission::Admission;
use crate::http::app_state::{AppState, DegradedCheck};
use crate::http::connections::Connections;
use crate::line::Zone;
use crate::listener;
use crate::listener::accepting::Accepting;
use crate::listener::sockets::Sockets;
use crate::metrics::Metrics;
use crate::redact::Redactor;
use crate::shutdown::{Signals, hangups};
use crate::source::Source;

/// Why the server has ended without a signal.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// It cannot listen on the address.
    #[error("cannot listen on {address}: {reason}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The system's error.
        reason: String,
    },
    /// Rocket has failed.
    #[error("the HTTP server has failed: {0}")]
    Rocket(String),
    /// A part could not be started.
    #[error("cannot start: {0}")]
    Start(String),
    /// A second signal came before the shutdown was complete.
    #[error("ended at once by a second signal")]
    Impatience,
}

/// What is reported when the server has started.
#[derive(Debug)]
pub struct Started {
    /// The address it listens on.
    pub address: SocketAddr,
    /// The number of sources.
    pub n_sources: usize,
    /// A summary of what was found and is not served; `None` if there is nothing.
    pub skipped: Option<String>,
}

/// Serves until a signal comes. `ready` is called once the port is open. `held_back` is exported as
/// a metric.
pub async fn serve(
    config: Config,
    held_back: IntCounter,
    ready: impl Fn(Started) + Send + Sync + 'static,
) -> Result<(), ServeError> {
    let mut signals = Signals::new().map_err(|error| ServeError::Start(error.to_string()))?;
    let parts = Parts::start(&config, held_back).await?;
    let app = parts.app.clone();
    let (tasks, stop) = (parts.tasks.clone(), parts.stop.clone());
    let known = Arc::<OnceLock<Sockets>>::default();
    let sockets = Arc::clone(&known);
    let on_liftoff = AdHoc::on_liftoff("ready", move |rocket| {
        let (app, tasks, stop) = (app.clone(), tasks.clone(), stop.clone());
        let sockets = Arc::clone(&sockets);
        let (n_sources, skipped) = (app.catalog.n_sources(), app.catalog.skipped());
        Box::pin(async move {
            let address = address_of(rocket);
            watching::start(address, &sockets, &app, &tasks, &stop);
            ready(Started { address, n_sources, skipped });
        })
    });
    let address = SocketAddr::new(config.address, config.port);
    let rocket = http::server(config.figment, parts.app.clone()).attach(on_liftoff);
    let rocket = rocket.ignite().await.map_err(|error| rocket_error(&error, address))?;
    let shutdown = rocket.shutdown();
    let launch = std::pin::pin!(rocket.launch());
    let reception = Arc::clone(&parts.app.connections);
    let mut launch = Accepting::new(launch, reception, known).await;
    tokio::select! {
        ended = &mut launch => {
            parts.stop(false).await;
            return ended.map(drop).map_err(|error| rocket_error(&error, address));
        }
        signal = signals.next() => tracing::info!(signal, "shutting down"),
    }
    let goodbye = async {
        // Rocket accepts only while it is polled: health checks should see that the server is
        // closing.
        let ((), ended) = tokio::join!(say_goodbye(&parts.app, shutdown), launch);
        // Connections left after the grace period are cut; the streams themselves have ended.
        if let Err(error) = &ended {
            tracing::warn!(%error, "connections were cut");
        }
        parts.stop(ended.is_ok()).await;
    };
    tokio::select! {
        () = goodbye => Ok(()),
        _ = signals.next() => Err(ServeError::Impatience),
    }
}

/// Ends all streams, then Rocket.
async fn say_goodbye(app: &AppState, shutdown: Shutdown) {
    app.closing.cancel();
    let all_gone = async {
        while app.admission.n_viewers() > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    if tokio::time::timeout(GOODBYE, all_gone).await.is_err() {
        tracing::warn!(viewers = app.admission.n_viewers(), "some viewers take nothing");
    }
    shutdown.notify();
}

/// What runs beside Rocket.
struct Parts {
    app: AppState,
    hub: Arc<WatchHub>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Parts {
    async fn start(config: &Config, held_back: IntCounter) -> Result<Self, ServeError> {
        let start_error = |error: &dyn std::fmt::Display| ServeError::Start(error.to_string());
        match listener::raise_descriptor_limit() {
            Ok(limit) => tracing::debug!(limit, "descriptors"),
            Err(error) => tracing::warn!(%error, "the limit of descriptors stays as it is"),
        }
        let metrics = Metrics::new().map_err(|error| start_error(&error))?;
        metrics.add(held_back).map_err(|error| start_error(&error))?;
        let metrics = Arc::new(metrics);
        metrics.count_panics();
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let disks = Arc::<Disks>::default();
        let hub = WatchHub::new(Arc::clone(&metrics), Arc::clone(&disks));
        // On a thread of its own: a file on a stalled disk then delays hints only.
        let (runtime, hub_run) = (Handle::current(), Arc::clone(&hub).run(stop.clone()));
        tasks.spawn_blocking(move || runtime.block_on(hub_run));
        let zone = Arc::new(Zone::system());
        let troubles = Arc::<Troubles>::default();
        let feeds = FeedContext {
            tasks: tasks.clone(),
            cancel: stop.clone(),
            linger: config.linger,
            metrics: Arc::clone(&metrics),
            troubles: Arc::clone(&troubles),
        };
        let context = FileContext {
            feeds,
            hub: Arc::clone(&hub),
            disks: Arc::clone(&disks),
            zone: Arc::clone(&zone),
            shared: Arc::new(SharedFiles::with_reserve().guarding(own_files(config))),
            redactors: redactors(config),
        };
        let specs = config.sources.clone();
        let opening = tasks.spawn_blocking(move || open_catalog(&specs, context)).await;
        let catalog = opening.map_err(|error| start_error(&error))?;
        tasks.spawn(Arc::clone(&catalog).run(Arc::clone(&disks), stop.clone()));
        let auth = Auth::open(config.access.clone()).map_err(|error| start_error(&error))?;
        let hangups = hangups().map_err(|error| start_error(&error))?;
        tasks.spawn(Arc::clone(&auth).run(hangups, read_config(config), stop.clone()));
        let network = Arc::new(config.network.clone());
        let connections = Connections::new(Arc::clone(&network), config.is_tls);
        let app = AppState {
            degraded: degraded_check(&catalog, &hub, &metrics, &troubles),
            catalog: GuardedCatalog::new(catalog),
            auth,
            hosts: Arc::new(config.hosts.clone()),
            admission: Admission::new(
                config.max_viewers,
                &config.network,
                Arc::clone(&connections),
            ),
            connections,
            descriptors: Arc::default(),
            network,
            metrics,
            zone,
            heartbeat: config.heartbeat,
            stall_limit: config.stall_limit,
            closing: CancellationToken::new(),
            departures: Arc::default(),
            statuses: Arc::default(),
            boards: Arc::default(),
        };
        Ok(Parts { app, hub, tasks, stop })
    }

    /// Stops them. `is_clean`: Rocket has dropped every stream.
    async fn stop(self, is_clean: bool) {
        self.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(STOP, self.tasks.wait()).await.is_err() {
            tracing::warn!("some reads have not come back; they are left to the system");
        } else if is_clean {
            self.assert_nothing_left();
        }
    }

    /// Every viewer has ended, for whatever reason, and released what it held.
    fn assert_nothing_left(&self) {
        debug_assert_eq!(self.app.admission.n_viewers(), 0, "viewers are left");
        debug_assert_eq!(self.app.metrics.n_viewers(), 0, "streams are left");
        debug_assert_eq!(self.app.metrics.feeds.get(), 0, "feeds are left");
        debug_assert_eq!(self.hub.n_followed(), 0, "watches are left");
    }
}

/// Finds the sources; blocking.
#[must_use]
pub fn open_catalog(
    specs: &[crate::config::SourceSpec],
    context: FileContext,
) -> Arc<Catalog<dyn Source>> {
    Catalog::open(
        specs,
        context.shared.own().clone(),
        move |found| -> Arc<dyn Source> {
            Arc::new(FileSource::new(found.name, found.location, context.clone()))
        },
        |source: &(dyn Source + 'static)| source.viewers() > 0,
    )
}

/// Files that are never sources, however they are named.
#[must_use]
pub fn own_files(config: &Config) -> OwnFiles {
    OwnFiles::new(config.own_files())
}

/// What is masked in which source.
fn redactors(config: &Config) -> Redactors {
    if config.redactions.is_empty() {
        return Redactors::default();
    }
    let specs = config.redactions.clone();
    Redactors(Some(Arc::new(move |name| {
        let reaches = |spec: &&RedactSpec| {
            let Some(glob) = &spec.sources else { return true };
            match SourcePattern::parse(glob) {
                Ok(Some(pattern)) => pattern.matches(name.as_str()),
                Ok(None) => glob == name.as_str(),
                // SECURITY: sources that cannot be distinguished are all masked.
                Err(_too_long) => true,
            }
        };
        let patterns = specs.iter().filter(reaches).map(|spec| spec.pattern.clone());
        Redactor::new(patterns.collect())
    })))
}

/// Reloads the part of the configuration that may change while the server runs.
fn read_config(config: &Config) -> ReadConfig {
    let overrides = config.overrides.clone();
    Arc::new(move || {
        Config::load(&overrides).map(|config| config.access).map_err(|error| error.to_string())
    })
}

fn degraded_check(
    catalog: &Arc<Catalog<dyn Source>>,
    hub: &Arc<WatchHub>,
    metrics: &Arc<Metrics>,
    troubles: &Arc<Troubles>,
) -> DegradedCheck {
    let (catalog, hub, metrics) = (Arc::clone(catalog), Arc::clone(hub), Arc::clone(metrics));
    let troubles = Arc::clone(troubles);
    DegradedCheck(Arc::new(move || {
        let mut reasons = catalog.degraded();
        match hub.n_polled() {
            0 => {}
            n_polled => reasons.push(format!("{n_polled} files cannot be watched and are polled")),
        }
        match metrics.stalled.get() {
            0 => {}
            n_stalled => reasons.push(format!("{n_stalled} logs wait for a disk that is silent")),
        }
        reasons.extend(troubles.reasons());
        reasons
    }))
}

fn address_of(rocket: &Rocket<Orbit>) -> SocketAddr {
    SocketAddr::new(rocket.config().address, rocket.config().port)
}

/// Formatting Rocket's error also keeps it from panicking when it is dropped.
fn rocket_error(error: &rocket::Error, address: SocketAddr) -> ServeError {
    if let rocket::error::ErrorKind::Bind(reason) = error.kind() {
        return ServeError::Bind { address, reason: reason.to_string() };
    }
    ServeError::Rocket(error.kind().to_string())
}

/// How long viewers have to read their last record. With Rocket's own grace after it (3 s) the
/// process is gone within 5 s.
const GOODBYE: Duration = Duration::from_millis(1500);
const STOP: Duration = Duration::from_millis(400);
