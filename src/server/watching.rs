//! Watching: what Rocket does not do about connections: it sets socket options, enforces limits
//! before the first request, closes silent connections, and notices disconnected clients.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::http::app_state::AppState;
use crate::http::connections::Connections;
use crate::http::departures::Departures;
use crate::listener;
use crate::listener::accepted::AcceptedConnections;
use crate::listener::descriptors::Descriptors;
use crate::listener::lag::Lag;
use crate::listener::silence::Silence;
use crate::listener::sockets::Sockets;

/// Starts all of it for the listener at `address`, and sets `sockets`.
pub(super) fn start(
    address: SocketAddr,
    sockets: &OnceLock<Sockets>,
    app: &AppState,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) {
    if let Err(error) = listener::prepare_for_floods(address) {
        tracing::debug!(%error, "the listener's queue stays as it is");
    }
    let descriptors = match Descriptors::new(address.port()) {
        Ok(descriptors) => Arc::new(descriptors),
        Err(error) => {
            tracing::warn!(
                %error,
                "connections are limited by their requests alone, and slow ones are not closed"
            );
            limit_silence(address);
            return;
        }
    };
    app.descriptors.get_or_init(|| Arc::clone(&descriptors));
    let lag = Arc::<Lag>::default();
    sockets.get_or_init(|| Sockets::new(address, Arc::clone(&descriptors), Arc::clone(&lag)));
    tasks.spawn(lag.run(stop.clone()));
    let silence = Silence::new(address).inspect_err(|error| {
        tracing::debug!(%error, "the kernel does not say who answers");
        limit_silence(address);
    });
    let accepted = AcceptedConnections::new(Arc::clone(&descriptors));
    let watch = ConnectionScan { accepted, silence: silence.ok() };
    tasks.spawn(close_silent(watch, Arc::clone(&app.connections), stop.clone()));
    let accepted = AcceptedConnections::new(descriptors);
    tasks.spawn(notice_departures(accepted, Arc::clone(&app.departures), stop.clone()));
}

/// Reports clients that disconnect while their response is being prepared, until it is cancelled.
async fn notice_departures(
    mut accepted: AcceptedConnections,
    departures: Arc<Departures>,
    cancel: CancellationToken,
) {
    while let Some(peers) = cancel.run_until_cancelled(departures.watched()).await {
        let look = tokio::task::spawn_blocking(move || {
            let gone = accepted.gone(&peers);
            (accepted, gone)
        });
        match look.await {
            Ok((back, gone)) => {
                accepted = back;
                match gone {
                    Ok(gone) => departures.note(&gone),
                    Err(error) => tracing::warn!(%error, "the connections could not be looked at"),
                }
            }
            Err(error) => {
                tracing::error!(%error, "it is noticed late that a client has left");
                return;
            }
        }
        if cancel.run_until_cancelled(tokio::time::sleep(DEPARTURES_PAUSE)).await.is_none() {
            return;
        }
    }
}

fn limit_silence(address: SocketAddr) {
    if let Err(error) = listener::limit_silence(address) {
        tracing::warn!(%error, "a client that falls silent is noticed late");
    }
}

/// The state of the periodic connection scan.
struct ConnectionScan {
    accepted: AcceptedConnections,
    /// `None` where the kernel detects silence itself.
    silence: Option<Silence>,
}

/// Closes connections that send no whole request, or no further one, and those whose clients are
/// gone, until it is cancelled.
async fn close_silent(
    mut watch: ConnectionScan,
    connections: Arc<Connections>,
    cancel: CancellationToken,
) {
    while cancel.run_until_cancelled(tokio::time::sleep(LOOK_PAUSE)).await.is_some() {
        let own = Arc::clone(&connections);
        let look = tokio::task::spawn_blocking(move || {
            let done = watch.close_overdue(&own);
            (watch, done)
        });
        match look.await {
            Ok((back, done)) => {
                watch = back;
                if let Err(error) = done {
                    tracing::warn!(%error, "the connections could not be looked at");
                }
            }
            Err(error) => {
                tracing::error!(%error, "slow senders of headers are not cut off any more");
                return;
            }
        }
    }
}

impl ConnectionScan {
    fn close_overdue(&mut self, connections: &Connections) -> std::io::Result<()> {
        let accepted = &mut self.accepted;
        accepted.look()?;
        for connection in accepted.iter() {
            if connections.is_overdue(connection) {
                tracing::debug!(client = %connection.peer, "closed, as it says nothing");
                if let Err(error) = accepted.shut_down(connection) {
                    tracing::debug!(%error, "it was gone already");
                }
            }
        }
        if let Some(silence) = &mut self.silence {
            for connection in silence.gone(accepted.iter(), Instant::now()) {
                tracing::debug!(client = %connection.peer, "closed, as nobody answers there");
                if let Err(error) = accepted.give_up(&connection) {
                    tracing::debug!(%error, "it was gone already");
                }
            }
        }
        connections.reconcile(accepted);
        Ok(())
    }
}

/// The interval between scans of the connections.
const LOOK_PAUSE: Duration = Duration::from_secs(5);

/// The interval between checks for clients that disconnect while their response is being prepared.
const DEPARTURES_PAUSE: Duration = Duration::from_millis(50);
