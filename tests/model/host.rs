//! Host: a server without its HTTP, with the log and perhaps a log beside it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tailcast::feed::FeedContext;
use tailcast::file::location::Location;
use tailcast::file::watch_hub::WatchHub;
use tailcast::file::{FileContext, FileSource};
use tailcast::filter::Filter;
use tailcast::follower::{EndReason, Follower, StreamSpec};
use tailcast::line::Zone;
use tailcast::metrics::Metrics;
use tailcast::source::{Source, SourceName, Start};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A server without its HTTP.
pub struct Host {
    sources: Vec<Arc<FileSource>>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Host {
    pub fn start(paths: &[&Path]) -> Self {
        let metrics = Arc::new(Metrics::new().unwrap());
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let hub = WatchHub::new(Arc::clone(&metrics), Arc::default());
        tasks.spawn(Arc::clone(&hub).run(stop.clone()));
        let feeds = FeedContext {
            tasks: tasks.clone(),
            cancel: stop.clone(),
            linger: LINGER,
            metrics,
            troubles: Arc::default(),
        };
        let context = FileContext {
            feeds,
            hub,
            disks: Arc::default(),
            zone: Arc::new(Zone::system()),
            shared: Arc::default(),
            redactors: tailcast::file::Redactors::default(),
        };
        let source = |path: &&Path| {
            let name = path.file_name().unwrap().to_str().unwrap();
            let path = path.to_path_buf();
            let location = Location { path, siblings: true, olddir: None, confined_to: None };
            Arc::new(FileSource::new(SourceName::from(name), location, context.clone()))
        };
        Host { sources: paths.iter().map(source).collect(), tasks, stop }
    }

    /// Follows as many sources as there are starts, or reads them to their ends.
    pub async fn open(&self, starts: &[Start], follow: bool) -> Follower {
        let sources = self.sources.iter().zip(starts).map(|(source, start)| {
            let source: Arc<dyn Source> = Arc::<FileSource>::clone(source);
            (source, start.clone())
        });
        let spec = StreamSpec {
            sources: sources.collect(),
            filter: Filter::default(),
            follow,
            until: None,
            done: EndReason::Eof,
            permissions: None,
            heartbeat: Duration::from_millis(100),
            source_watch: None,
            allowance: Arc::default(),
            cancel: self.stop.clone(),
        };
        Follower::open(spec, Arc::new(Zone::system())).await.unwrap()
    }

    pub async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// A live end goes on for so long after its last viewer has left.
const LINGER: Duration = Duration::from_millis(50);
