//! The command line: its words and flags, and what they mean for the configuration.

pub mod connect;
pub mod follow;
pub mod token;
pub mod user;

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

pub use crate::cli::connect::{ConnectArgs, ConnectArgsError};
pub use crate::cli::follow::FollowArgs;
use crate::cli::token::TokenCommand;
use crate::cli::user::UserCommand;
use crate::config::Overrides;
use tailcast_core::time_expr::parse_span;

/// Takes the arguments of the process, program name first, apart.
///
/// The error is also `--help` and `--version`: print it and end with its `exit_code`, which is 2
/// for a mistake and 0 for these.
pub fn parse<I, T>(arguments: I) -> Result<Command, clap::Error>
where
    I: IntoIterator<Item = T>,
    T: Into<OsString> + Clone,
{
    // Of the flags that `check` has from others, these mean nothing without a URL.
    let command = Cli::command().mut_subcommand("check", |check| {
        CONNECT_FLAGS
            .iter()
            .fold(check, |check, flag| check.mut_arg(flag, |argument| argument.requires("url")))
    });
    let cli = Cli::from_arg_matches(&command.try_get_matches_from(arguments)?)?;
    Ok(cli.command.unwrap_or(Command::Serve(cli.serve)))
}

/// Follow log files in a browser, with curl, or over a WebSocket.
#[derive(Debug, Parser)]
#[command(
    name = "tailcast",
    bin_name = "tailcast",
    version,
    // A first word that is no command belongs to `serve`, which may be left out.
    args_conflicts_with_subcommands = true,
    after_long_help = EXAMPLES
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: ServeArgs,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Serve logs over HTTP; this is what happens without a command.
    #[command(after_long_help = EXAMPLES)]
    Serve(ServeArgs),
    /// Explain the configuration: each value, and where it was said.
    ///
    /// With --url, measure a server from outside instead: whether lines arrive at once and WebSockets
    /// come through, and which line of the proxy's configuration to change where not.
    #[command(after_long_help = CHECK_EXAMPLES)]
    Check(CheckArgs),
    /// Add, list and remove those who log in with a password.
    #[command(subcommand)]
    User(UserCommand),
    /// Make, list and revoke what programs show instead of a password.
    #[command(subcommand)]
    Token(TokenCommand),
    /// Follow logs of a server in a terminal, and lose no line: reconnects, and resumes.
    #[command(after_long_help = follow::EXAMPLES)]
    Follow(FollowArgs),
    /// List the logs of a server.
    #[command(after_long_help = LS_EXAMPLES)]
    Ls(LsArgs),
}

/// What `serve` and `check` take.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct ServeArgs {
    /// Files, directories and globs to serve, in place of the sources in the file. One that is
    /// named like a command is written with its folder: `./check`.
    #[arg(value_name = "PATH|DIR|GLOB")]
    pub paths: Vec<String>,
    /// Port to listen on; 0 takes a free one [default: 8000].
    #[arg(short, long)]
    pub port: Option<u16>,
    /// IP address to listen on [default: 127.0.0.1].
    #[arg(long, value_name = "ADDR")]
    pub address: Option<IpAddr>,
    /// Read this file instead of looking for a Rocket.toml here and in the folders above.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Serve a lively made-up log, for a first look.
    #[arg(long, conflicts_with = "paths")]
    pub demo: bool,
    /// Listen beyond this host although nobody is asked who they are.
    #[arg(long)]
    pub insecure: bool,
}

/// What `check` takes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct CheckArgs {
    /// Measure the server whose front page is here, through whatever proxy is before it.
    #[arg(long, value_name = "URL", conflicts_with_all = SERVE_FLAGS)]
    pub url: Option<String>,
    /// With --url: also see whether a quiet stream stays open for as long (such as 2m).
    #[arg(long, value_name = "SPAN", value_parser = parse_span, requires = "url")]
    pub hold: Option<Duration>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap takes a doc here for the command's own")]
    pub connect: ConnectArgs,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap takes a doc here for the command's own")]
    pub serve: ServeArgs,
}

/// What `ls` takes.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct LsArgs {
    /// The server, or any page of it.
    #[arg(value_name = "URL")]
    pub url: String,
    /// Print what the server says: JSON with sizes, times, viewers and files.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap takes a doc here for the command's own")]
    pub connect: ConnectArgs,
}

impl From<ServeArgs> for Overrides {
    /// Leaves out `demo`: its folder becomes one of the paths once it has been written.
    fn from(args: ServeArgs) -> Self {
        let ServeArgs { paths, port, address, config, demo: _, insecure } = args;
        Self { config_file: config, address, port, insecure, paths }
    }
}

const EXAMPLES: &str = "\
Examples:
  tailcast serve --demo                  a made-up shop's logs, for a first look
  tailcast /var/log/nginx                every log in a folder, at http://127.0.0.1:8000
  tailcast -p 9000 'logs/**/*.log' app.log
  tailcast                               the sources in Rocket.toml
  tailcast check                         what the configuration amounts to, and why
  tailcast follow URL                    a log of a server, in this terminal

Then:
  curl http://127.0.0.1:8000/logs/access.log
  curl 'http://127.0.0.1:8000/logs/access.log?tail=100&level=error'";

const CHECK_EXAMPLES: &str = "\
Examples:
  tailcast check                         the sources in Rocket.toml
  tailcast check /var/log/nginx
  tailcast check --url https://logs.example.org/
  tailcast check --url https://example.org/ops/logs/ --ca own.pem --hold 2m";

/// The flags of `serve`, which say nothing about a server elsewhere.
const SERVE_FLAGS: [&str; 6] = ["paths", "port", "address", "config", "demo", "insecure"];
const CONNECT_FLAGS: [&str; 3] = ["headers", "token_file", "ca"];

const LS_EXAMPLES: &str = "\
Examples:
  tailcast ls http://127.0.0.1:8000
  tailcast ls https://logs.example/ops/ --json";

#[cfg(test)]
mod tests;
