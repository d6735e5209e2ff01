//! Follow: the command. Each URL is followed by a task of its own; one task prints their events in
//! order of arrival; another one reports on standard error. Between them are short queues: while
//! the output is not read, nothing more is pulled.

pub mod output;
pub mod printer;
pub mod reporter;
pub mod terminal;

use std::collections::BTreeSet;
use std::io;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::cli::{ConnectArgsError, FollowArgs};
use crate::follow::output::LineOutput;
use crate::follow::printer::{Printed, Printer, StreamName, Style};
use crate::follow::reporter::{Reporter, describe};
use crate::shutdown::Signals;
use tailcast_client::{Client, EndReason, Event, Follow, FollowError, Target, UrlError};

/// Why nothing can be followed.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A URL is not valid.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// A flag cannot be used.
    #[error(transparent)]
    Arguments(#[from] ConnectArgsError),
    /// A system error.
    #[error("cannot start: {0}")]
    System(#[from] io::Error),
}

impl StartError {
    /// 2 for wrong usage.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Url(_) | Self::Arguments(_) => 2,
            Self::System(_) => 1,
        }
    }
}

/// How one URL has ended.
#[derive(Debug)]
enum Ending {
    /// The server has sent everything requested.
    Clean,
    /// Stopped by a signal.
    Stopped,
    /// With an error that was reported.
    Failed,
}

/// Follows until all streams have ended or a signal comes; returns the exit code.
pub async fn run(args: FollowArgs) -> Result<u8, StartError> {
    let mut options = args.connect.options(|name| std::env::var(name).ok())?;
    if args.exit_on_end {
        options = options.end_with_server();
    }
    let has_credentials = options.has_credentials();
    let client = Client::new(options);
    let follows = args.urls.iter().map(|url| client.follow(url, args.query()));
    let follows = follows.collect::<Result<Vec<Follow>, UrlError>>()?;
    let mut signals = Signals::new()?;
    let style = Style::of_stdout(args.json);
    let names = names(&follows);
    let (tasks, cancel) = (TaskTracker::new(), CancellationToken::new());
    let (reporter, reporting) = Reporter::new(&tasks);
    if has_credentials {
        warn_of_exposure(&follows, &reporter);
    }
    let (sender, queue) = mpsc::channel(QUEUE);
    let has_several = follows.len() > 1;
    let watch = |(number, follow): (usize, Follow)| FollowTask {
        number,
        name: has_several.then(|| follow.target().shown()),
        follow,
        sender: sender.clone(),
        reporter: reporter.clone(),
        cancel: cancel.clone(),
        last_why: None,
    };
    let watches = follows.into_iter().enumerate().map(watch);
    let followed: Vec<_> = watches.map(|watch| tasks.spawn(watch.run())).collect();
    drop(sender);
    let output = LineOutput::stdout()?;
    let scribe = Printer::new(output, style, names, reporter.clone(), cancel.clone());
    let mut printing = tasks.spawn(scribe.run(queue));
    let done = tokio::select! {
        done = &mut printing => Some(done),
        _signal = signals.next() => None,
    };
    cancel.cancel();
    let done = if let Some(done) = done {
        done
    } else {
        tokio::select! {
            done = printing => done,
            // Twice is impatience.
            _signal = signals.next() => return Ok(0),
        }
    };
    let printed = done.map_err(io::Error::other)?;
    let mut has_failed = false;
    for ending in followed {
        has_failed |= matches!(ending.await.map_err(io::Error::other)?, Ending::Failed);
    }
    let exit_code = conclude(&args, &printed, has_failed, &reporter);
    drop(reporter);
    reporting.finish().await;
    Ok(exit_code)
}

/// A token is as sensitive as a password.
fn warn_of_exposure(follows: &[Follow], reporter: &Reporter) {
    for target in follows.iter().map(Follow::target).filter(|target| target.is_exposed()) {
        let words = "is not encrypted: who is on the way can read the token";
        reporter.say(format!("the connection to {} {words}", target.authority()));
    }
}

/// Reports how it has ended and how to resume.
fn conclude(args: &FollowArgs, printed: &Printed, has_failed: bool, reporter: &Reporter) -> u8 {
    match &printed.failure {
        // The reader has closed the pipe, which is not an error.
        Some(error) if error.kind() == io::ErrorKind::BrokenPipe => return 0,
        Some(error) => reporter.say(format!("standard output cannot be written: {error}")),
        None => {}
    }
    for (url, position) in args.urls.iter().zip(&printed.positions) {
        if let Some(cursor) = position.cursor() {
            let command = args.command_from(url, &cursor);
            reporter.say(format!("to go on from here: {command}"));
        }
    }
    u8::from(has_failed || printed.failure.is_some())
}

/// Follows one URL.
struct FollowTask {
    number: usize,
    /// Its name, if there are several.
    name: Option<String>,
    follow: Follow,
    sender: mpsc::Sender<(usize, Event)>,
    reporter: Reporter,
    cancel: CancellationToken,
    /// The last reported reason for a missing connection.
    last_why: Option<String>,
}

impl FollowTask {
    async fn run(mut self) -> Ending {
        loop {
            let next = tokio::select! {
                biased;
                () = self.cancel.cancelled() => break,
                next = self.follow.next() => next,
            };
            let event = match next {
                Ok(Some(event)) => event,
                Ok(None) => return Ending::Clean,
                Err(error) => {
                    self.say(&error.to_string());
                    return match error {
                        FollowError::Refused(_)
                        | FollowError::Unreachable(_)
                        | FollowError::Lost(_) => Ending::Failed,
                    };
                }
            };
            self.tell(&event);
            let failure = match &event {
                Event::End(end) => match &end.reason {
                    EndReason::Failure(reason) => Some(reason.clone()),
                    EndReason::Eof | EndReason::Until | EndReason::Shutdown => None,
                },
                Event::Start(_)
                | Event::Lines(_)
                | Event::Gap(_)
                | Event::Rotated(_)
                | Event::Heartbeat(_)
                | Event::Reconnecting(_)
                | Event::Resumed(_)
                | Event::FallenBack(_) => None,
            };
            tokio::select! {
                biased;
                () = self.cancel.cancelled() => break,
                // A printer that has ended has reported why.
                sent = self.sender.send((self.number, event)) => if sent.is_err() { break },
            }
            if let Some(reason) = failure {
                self.say(&format!("the server has ended the stream: {reason}"));
                return Ending::Failed;
            }
        }
        self.follow.close().await;
        Ending::Stopped
    }

    /// Reports what happens to the connection; each reason for a missing one only once.
    fn tell(&mut self, event: &Event) {
        if let Event::Reconnecting(lost) = event {
            if self.last_why.as_ref() == Some(&lost.why) {
                return;
            }
            self.last_why = Some(lost.why.clone());
        } else if matches!(event, Event::Resumed(_)) {
            self.last_why = None;
        }
        if let Some(words) = describe(event) {
            self.say(&words);
        }
    }

    fn say(&self, words: &str) {
        self.reporter.say(match &self.name {
            Some(name) => format!("{name}: {words}"),
            None => words.to_owned(),
        });
    }
}

/// The name of each stream: its log, and its server if there are several.
fn names(follows: &[Follow]) -> Vec<StreamName> {
    let targets = || follows.iter().map(Follow::target);
    let servers: BTreeSet<&str> = targets().map(Target::authority).collect();
    targets()
        .map(|target| StreamName {
            server: (servers.len() > 1).then(|| target.authority().to_owned()),
            is_one_of_several: follows.len() > 1,
        })
        .collect()
}

/// Batches that were read and are not yet printed, of all streams together.
const QUEUE: usize = 2;
