//! Follows a log of a Tailcast server: `cargo run --example follow -- URL`

use tailcast::client::{Client, Event, Options, Query};

/// Prints the log that the URL names, from its last 100 lines on, for ever.
async fn follow(url: &str) -> Result<(), Box<dyn std::error::Error>> {
    let mut log = Client::new(Options::default()).follow(url, Query::new().tail(100))?;
    while let Some(event) = log.next().await? {
        if let Event::Lines(lines) = event {
            for record in lines.records() {
                println!("{}: {}", record.source(), record.line());
            }
        }
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).ok_or("expected the URL of a log")?;
    follow(&url).await
}
