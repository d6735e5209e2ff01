//! Reporter: messages on standard error, written by a task of its own, so that a blocked standard
//! error delays nothing else.

use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use crate::follow::terminal::write_visible;
use tailcast_client::Seconds;
use tailcast_client::{Event, Missed};

/// Reports on standard error. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Reporter {
    queue: mpsc::Sender<String>,
}

/// The task that writes.
#[derive(Debug)]
pub struct Reporting(JoinHandle<()>);

impl Reporter {
    /// Starts the task that writes.
    #[must_use]
    pub fn new(tasks: &TaskTracker) -> (Self, Reporting) {
        let (queue, words) = mpsc::channel(QUEUE);
        let task = tasks.spawn(write(words));
        (Reporter { queue }, Reporting(task))
    }

    /// Reports a message, after `tailcast: `. Messages are dropped if standard error is blocked for
    /// long.
    pub fn say(&self, words: String) {
        if let Err(error) = self.queue.try_send(words) {
            tracing::debug!(%error, "nobody reads what is said");
        }
    }
}

impl Reporting {
    /// Waits briefly until everything is written.
    pub async fn finish(self) {
        let _said: bool = timeout(GRACE, self.0).await.is_ok();
    }
}

async fn write(mut words: mpsc::Receiver<String>) {
    let mut stderr = tokio::io::stderr();
    while let Some(words) = words.recv().await {
        let mut line = b"tailcast: ".to_vec();
        // Parts of it come from a server.
        write_visible(&words, &mut line);
        line.push(b'\n');
        if stderr.write_all(&line).await.is_err() || stderr.flush().await.is_err() {
            return;
        }
    }
}

/// The message for an event, if it is worth one.
#[must_use]
pub fn describe(event: &Event) -> Option<String> {
    match event {
        Event::Reconnecting(lost) => {
            let again = format!("trying again in {}", Seconds(lost.delay));
            Some(format!("{}; {again}", lost.why))
        }
        Event::Resumed(resumed) => {
            let missed = match resumed.missed {
                Missed::Nothing => "resumed, nothing missed",
                Missed::Gap => "resumed after a gap",
                Missed::Unknown => {
                    "going on with new lines: a stream of more than 16 sources cannot be resumed, \
                     so lines may have been missed"
                }
            };
            Some(format!("reconnected after {}, {missed}", Seconds(resumed.after)))
        }
        Event::FallenBack(fallen) => {
            Some(format!("no WebSocket ({}); following by NDJSON over HTTP instead", fallen.why))
        }
        Event::Start(_)
        | Event::Lines(_)
        | Event::Gap(_)
        | Event::Rotated(_)
        | Event::Heartbeat(_)
        | Event::End(_) => None,
    }
}

const QUEUE: usize = 64;
const GRACE: Duration = Duration::from_secs(1);
