//! Follows a log of a Tailcast server: `cargo run -p tailcast-client --example follow -- URL`

use std::error::Error;
use std::io::Write;

use tailcast_client::{Client, Event, Options, Query};

/// Writes the log that the URL names, from its last 100 lines on, until it ends.
pub async fn follow(url: &str, mut out: impl Write) -> Result<(), Box<dyn Error>> {
    let mut log = Client::new(Options::default()).follow(url, Query::new().tail(100))?;
    while let Some(event) = log.next().await? {
        if let Event::Lines(lines) = event {
            for record in lines.records() {
                writeln!(out, "{}: {}", record.source(), record.line())?;
            }
        }
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).ok_or("expected the URL of a log")?;
    follow(&url, std::io::stdout()).await
}
