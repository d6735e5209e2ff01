//! `tailcast token`: what programs show instead of a name and password. A token is printed once, when
//! it is made.

use std::fmt::Write as _;

use anyhow::bail;
use clap::{Args, Subcommand};
use jiff::Timestamp;

use super::user::ConfigLocation;
use crate::auth::tokens::{self, NewToken};
use tailcast_core::time_expr::parse_span;

/// What to do with the tokens.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum TokenCommand {
    /// Make a token, and print it: this once.
    New(TokenNew),
    /// List the tokens: id, name, end, what they may read.
    List(ConfigLocation),
    /// Make a token void; what it has open is ended.
    Revoke(TokenRevoke),
}

/// What `token new` takes.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct TokenNew {
    /// Globs of the sources that it may read, such as 'nginx/*', or '**' for all.
    #[arg(long, value_name = "GLOB", num_args = 1..)]
    pub sources: Vec<String>,
    /// From then on it is void, such as 90d; without it, never.
    #[arg(long, value_name = "SPAN")]
    pub expires: Option<String>,
    /// What rules call it.
    #[arg(long, default_value = "")]
    pub name: String,
    /// It may read /metrics.
    #[arg(long)]
    pub metrics: bool,
    /// Where the files are.
    #[command(flatten)]
    pub location: ConfigLocation,
}

/// What `token revoke` takes.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct TokenRevoke {
    /// The token's id, as `token list` tells it, or its name.
    pub token: String,
    /// Where the files are.
    #[command(flatten)]
    pub location: ConfigLocation,
}

/// Does it, and returns what to say.
pub fn run(command: &TokenCommand) -> anyhow::Result<String> {
    match command {
        TokenCommand::New(new) => create(new),
        TokenCommand::List(location) => {
            let mut text = String::new();
            for token in tokens::list(&location.access()?.tokens_file)? {
                let end = match token.expires {
                    Some(end) if token.has_expired() => format!("expired {end:.0}"),
                    Some(end) => format!("until {end:.0}"),
                    None => "for ever".to_owned(),
                };
                let name = if token.name.is_empty() { "-" } else { &token.name };
                let metrics = if token.metrics { " /metrics" } else { "" };
                let sources = token.sources.join(" ");
                writeln!(text, "{}  {name}  {end}  {sources}{metrics}", token.id)?;
            }
            Ok(text)
        }
        TokenCommand::Revoke(revoke) => {
            let file = revoke.location.access()?.tokens_file;
            match tokens::revoke(&file, &revoke.token)? {
                0 => bail!("{} has no token `{}`", file.display(), revoke.token),
                1 => Ok("1 token revoked\n".to_owned()),
                n_tokens => Ok(format!("{n_tokens} tokens revoked\n")),
            }
        }
    }
}

fn create(new: &TokenNew) -> anyhow::Result<String> {
    if new.sources.is_empty() && !new.metrics && new.name.is_empty() {
        bail!(
            "a token that may read nothing; expected `--sources GLOB`, `--metrics`, or a `--name` \
             that a rule knows"
        );
    }
    for glob in &new.sources {
        if let Err(error) = crate::catalog::pattern::SourcePattern::parse(glob) {
            bail!("`--sources`: {error}");
        }
    }
    let expires = match &new.expires {
        None => None,
        Some(text) => {
            let span =
                parse_span(text).map_err(|error| anyhow::anyhow!("`--expires {text}`: {error}"))?;
            Some(Timestamp::now().checked_add(span)?)
        }
    };
    let new_token = NewToken {
        name: new.name.clone(),
        sources: new.sources.clone(),
        metrics: new.metrics,
        expires,
    };
    let (_token, text) = tokens::create(&new.location.access()?.tokens_file, new_token)?;
    Ok(format!("{text}\n"))
}
