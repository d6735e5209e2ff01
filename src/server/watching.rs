//! Watching: what is done about connections that Rocket does not do: options of its sockets, limits
//! before the first request, silent ones closed, and clients noticed that have left.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::http::app_state::AppState;
use crate::http::connections::Connections;
use crate::http::departures::Departures;
use crate::listener;
use crate::listener::accepted::Accepted;
use crate::listener::descriptors::Descriptors;
use crate::listener::lag::Lag;
use crate::listener::silence::Silence;
use crate::listener::sockets::Sockets;

/// Starts all of it for the listener at `address`; makes `sockets` known.
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
    let accepted = Accepted::new(Arc::clone(&descriptors));
    let watch = Watch { accepted, silence: silence.ok() };
    tasks.spawn(close_silent(watch, Arc::clone(&app.connections), stop.clone()));
    let accepted = Accepted::new(descriptors);
    tasks.spawn(notice_departures(accepted, Arc::clone(&app.departures), stop.clone()));
}

/// Tells whose client has left while its answer is looked for, until it is cancelled.
async fn notice_departures(
    mut accepted: Accepted,
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

/// What the connections are looked at with.
struct Watch {
    accepted: Accepted,
    /// None where the kernel does it itself.
    silence: Option<Silence>,
}

/// Closes connections that send no whole request, or none any more, and those whose clients are gone,
/// until it is cancelled.
async fn close_silent(mut watch: Watch, connections: Arc<Connections>, cancel: CancellationToken) {
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

impl Watch {
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

/// Between looks at the connections.
const LOOK_PAUSE: Duration = Duration::from_secs(5);

/// Between looks whether clients are still there whose answer is looked for.
const DEPARTURES_PAUSE: Duration = Duration::from_millis(50);
