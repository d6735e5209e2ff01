//! `tailcast check`: the configuration, explained: each value with its origin, each source with its
//! files, and what was skipped and why.

use std::fmt::Write as _;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Config;
use crate::feed::FeedContext;
use crate::file::files::SharedFiles;
use crate::file::watch_hub::WatchHub;
use crate::file::{FileContext, Redactors};
use crate::line::Zone;
use crate::metrics::Metrics;
use crate::server::{open_catalog, own_files};

/// The whole report. Scans the disk, and opens no port.
pub fn report(config: &Config) -> anyhow::Result<String> {
    let metrics = Arc::new(Metrics::new()?);
    let feeds = FeedContext {
        tasks: TaskTracker::new(),
        cancel: CancellationToken::new(),
        linger: config.linger,
        metrics: Arc::clone(&metrics),
        troubles: Arc::default(),
    };
    let context = FileContext {
        feeds,
        hub: WatchHub::new(metrics, Arc::default()),
        disks: Arc::default(),
        zone: Arc::new(Zone::system()),
        shared: Arc::new(SharedFiles::default().guarding(own_files(config))),
        redactors: Redactors::default(),
    };
    let catalog = open_catalog(&config.sources, context).snapshot();
    let mut text = config.explanation().to_string();
    writeln!(text, "\n{} sources:", catalog.sources.len())?;
    for (name, source) in &catalog.sources {
        let files: Vec<String> =
            source.status().segments.into_iter().map(|segment| segment.file).collect();
        let files = if files.is_empty() { "no file yet".to_owned() } else { files.join(", ") };
        writeln!(text, "  {name}  ({files})")?;
    }
    if !catalog.skipped.is_empty() {
        writeln!(text, "\n{} left out:", catalog.skipped.len())?;
        for skipped in &catalog.skipped {
            writeln!(text, "  {}  {}", skipped.name, skipped.reason)?;
        }
    }
    Ok(text)
}
