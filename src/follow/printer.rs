//! Printer: lines to standard output, each stream's as they come. It knows what was really written,
//! which alone counts for the position to resume from.

use std::io::{self, IsTerminal as _};

use clap::builder::styling;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::follow::output::LineOutput;
use crate::follow::reporter::Reporter;
use crate::follow::terminal::{style_of_level, style_of_source, write_visible};
use tailcast_client::{Batch, Event, Gap, Record, StreamPosition};

/// How lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// As JSON records.
    pub is_json: bool,
    /// For a terminal, which must not interpret them.
    pub is_terminal: bool,
    /// With colours.
    pub is_coloured: bool,
}

/// The prefix of a stream's lines.
#[derive(Clone, Debug)]
pub struct StreamName {
    /// Its server, if there are several.
    pub server: Option<String>,
    /// Whether there are other streams.
    pub is_one_of_several: bool,
}

/// How far it was printed.
#[derive(Debug)]
pub struct Printed {
    /// The position of each stream after its last written line.
    pub positions: Vec<StreamPosition>,
    /// The error that ended the printing early.
    pub failure: Option<io::Error>,
}

/// Prints.
#[derive(Debug)]
pub struct Printer {
    output: LineOutput,
    style: Style,
    streams: Vec<Stream>,
    reporter: Reporter,
    cancel: CancellationToken,
    page: Page,
}

#[derive(Debug)]
struct Stream {
    name: StreamName,
    has_prefix: bool,
    position: StreamPosition,
}

/// The bytes to write next, with the end of each record.
#[derive(Debug, Default)]
struct Page {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    /// The stream and source whose line is only partly written.
    unfinished: Option<(usize, String)>,
    /// The sources that were printed; their numbers are their colours.
    sources: Vec<(usize, String)>,
}

impl Style {
    /// Chosen by the kind of standard output.
    #[must_use]
    pub fn of_stdout(is_json: bool) -> Self {
        let is_terminal = io::stdout().is_terminal();
        let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let is_coloured = is_terminal && !is_json && !is_dumb && !is_set("NO_COLOR");
        Style { is_json, is_terminal, is_coloured }
    }
}

impl Printer {
    /// A printer of these streams.
    #[must_use]
    pub fn new(
        output: LineOutput,
        style: Style,
        names: Vec<StreamName>,
        reporter: Reporter,
        cancel: CancellationToken,
    ) -> Self {
        let streams = names.into_iter().map(|name| Stream {
            has_prefix: name.is_one_of_several,
            name,
            position: StreamPosition::default(),
        });
        let streams = streams.collect();
        Printer { output, style, streams, reporter, cancel, page: Page::default() }
    }

    /// Prints events, until all streams have ended, it is cancelled, or the reader is gone.
    pub async fn run(mut self, mut queue: mpsc::Receiver<(usize, Event)>) -> Printed {
        let mut failure = None;
        while failure.is_none() {
            let next = tokio::select! {
                biased;
                () = self.cancel.cancelled() => break,
                next = queue.recv() => next,
                closed = self.output.closed() => {
                    failure = Some(closed);
                    break;
                }
            };
            let Some((number, event)) = next else { break };
            failure = self.print(number, &event).await.err();
        }
        // Senders must not wait for a printer that has ended.
        self.cancel.cancel();
        let positions = self.streams.into_iter().map(|stream| stream.position).collect();
        Printed { positions, failure }
    }

    async fn print(&mut self, number: usize, event: &Event) -> io::Result<()> {
        match event {
            Event::Lines(batch) => return self.print_lines(number, batch).await,
            Event::Start(start) => {
                if let Some(stream) = self.streams.get_mut(number) {
                    stream.has_prefix |= start.sources.is_some();
                }
            }
            Event::Gap(gap) => {
                self.print_record(&gap.json).await?;
                self.reporter.say(gap_words(gap));
            }
            Event::Rotated(rotated) => {
                self.print_record(&rotated.json).await?;
                if rotated.how == "truncated" {
                    self.reporter.say(format!("{}: the file was truncated", rotated.source));
                }
            }
            Event::Heartbeat(_)
            | Event::End(_)
            | Event::Reconnecting(_)
            | Event::Resumed(_)
            | Event::FallenBack(_) => {}
        }
        if let Some(stream) = self.streams.get_mut(number) {
            stream.position.advance(event);
        }
        Ok(())
    }

    /// A record that is not a line, for JSON output.
    async fn print_record(&mut self, json: &str) -> io::Result<()> {
        if !self.style.is_json {
            return Ok(());
        }
        self.page.begin();
        self.page.write_json(json, self.style);
        self.output.write(&self.page.bytes, &self.cancel).await.1
    }

    async fn print_lines(&mut self, number: usize, batch: &Batch) -> io::Result<()> {
        let Some(stream) = self.streams.get_mut(number) else { return Ok(()) };
        self.page.begin();
        if self.style.is_json {
            batch.json()?.into_iter().for_each(|json| self.page.write_json(json, self.style));
        } else {
            for record in batch.records() {
                self.page.write_record(number, stream, &record, self.style);
            }
        }
        let (n_bytes, written) = self.output.write(&self.page.bytes, &self.cancel).await;
        let n_lines = self.page.ends.partition_point(|end| *end <= n_bytes);
        stream.position.advance_lines(batch, n_lines);
        written
    }
}

impl Page {
    fn begin(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        // The memory of uncommonly long lines is released.
        self.bytes.shrink_to(KEPT_BYTES);
    }

    fn write_json(&mut self, json: &str, style: Style) {
        if style.is_terminal {
            write_visible(json, &mut self.bytes);
        } else {
            self.bytes.extend_from_slice(json.as_bytes());
        }
        self.bytes.push(b'\n');
        self.ends.push(self.bytes.len());
    }

    fn write_record(&mut self, number: usize, stream: &Stream, record: &Record<'_>, style: Style) {
        if stream.has_prefix {
            self.write_prefix(number, stream, record, style);
        }
        let line = record.line();
        if style.is_terminal {
            let level = record.level().filter(|_| style.is_coloured);
            let colour = level.and_then(|level| style_of_level(&level));
            write_coloured(colour, &line, &mut self.bytes);
        } else {
            self.bytes.extend_from_slice(line.as_bytes());
        }
        if !record.is_partial() {
            self.bytes.push(b'\n');
        } else if stream.has_prefix {
            self.unfinished = Some((number, record.source().into_owned()));
        }
        self.ends.push(self.bytes.len());
    }

    /// `NAME: `, but not within a line that came in pieces; a piece of another source ends it.
    fn write_prefix(&mut self, number: usize, stream: &Stream, record: &Record<'_>, style: Style) {
        let source = record.source();
        if let Some((of, name)) = self.unfinished.take() {
            if of == number && name == source {
                return;
            }
            self.bytes.push(b'\n');
        }
        let mut prefix = stream.name.server.clone().map_or(String::new(), |server| server + "/");
        prefix.push_str(&source);
        if style.is_terminal {
            let colour = style_of_source(self.number_of(number, &source));
            write_coloured(style.is_coloured.then_some(colour), &prefix, &mut self.bytes);
        } else {
            self.bytes.extend_from_slice(prefix.as_bytes());
        }
        self.bytes.extend_from_slice(b": ");
    }

    fn number_of(&mut self, stream: usize, source: &str) -> usize {
        let is_it = |(of, name): &(usize, String)| *of == stream && name == source;
        self.sources.iter().position(is_it).unwrap_or_else(|| {
            self.sources.push((stream, source.to_owned()));
            self.sources.len() - 1
        })
    }
}

/// For a terminal: control characters are made visible.
fn write_coloured(colour: Option<styling::Style>, text: &str, out: &mut Vec<u8>) {
    let Some(colour) = colour else { return write_visible(text, out) };
    out.extend_from_slice(colour.render().to_string().as_bytes());
    write_visible(text, out);
    out.extend_from_slice(colour.render_reset().to_string().as_bytes());
}

fn gap_words(gap: &Gap) -> String {
    let reason = gap.reason.replace('_', " ");
    format!("{}: gap: {} bytes are gone ({reason})", gap.source, gap.bytes)
}

const KEPT_BYTES: usize = 1 << 20;
