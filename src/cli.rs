//! The command line: its words and flags, and what they mean for the configuration.

pub mod connect;
pub mod follow;
pub mod token;
pub mod user;

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub use crate::cli::connect::{ConnectArgs, ConnectArgsError};
pub use crate::cli::follow::FollowArgs;
use crate::cli::token::TokenCommand;
use crate::cli::user::UserCommand;
use crate::config::Overrides;

/// Takes the arguments of the process, program name first, apart.
///
/// The error is also `--help` and `--version`: print it and end with its `exit_code`, which is 2
/// for a mistake and 0 for these.
pub fn parse<I, T>(arguments: I) -> Result<Command, clap::Error>
where
    I: IntoIterator<Item = T>,
    T: Into<OsString> + Clone,
{
    Cli::try_parse_from(arguments).map(|cli| cli.command.unwrap_or(Command::Serve(cli.serve)))
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
    Check(ServeArgs),
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

const LS_EXAMPLES: &str = "\
Examples:
  tailcast ls http://127.0.0.1:8000
  tailcast ls https://logs.example/ops/ --json";

#[cfg(test)]
mod tests;
