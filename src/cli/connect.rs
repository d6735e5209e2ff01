//! The flags of every command that connects to a server, and what they mean for the client.

use std::path::{Path, PathBuf};

use clap::Args;

use tailcast_client::parse_header;
use tailcast_client::{HeaderError, Options, Trust, TrustError};

/// How to connect to a server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct ConnectArgs {
    /// Send this header with every request; may be given several times.
    #[arg(long = "header", short = 'H', value_name = "K: V", value_parser = header)]
    pub headers: Vec<String>,
    /// Read a token from this file and send it as `Authorization: Bearer …`. Else it is taken from
    /// `TAILCAST_TOKEN`, or from the file that `TAILCAST_TOKEN_FILE` names.
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Trust the authorities in this PEM file, and not those of the system.
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
}

/// Why the flags cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConnectArgsError {
    /// A file cannot be read.
    #[error("{what} {} cannot be read: {error}", path.display())]
    File {
        /// What it is for.
        what: &'static str,
        /// Which.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// A token that is none.
    #[error("{0} holds no token: it is empty")]
    EmptyToken(String),
    /// A token or a header that cannot be sent.
    #[error("{0}")]
    Header(#[from] HeaderError),
    /// A file without a certificate.
    #[error("--ca {}: {error}", path.display())]
    Ca {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        error: TrustError,
    },
}

impl ConnectArgs {
    /// The options they stand for; `variable` looks into the environment.
    pub fn options(
        &self,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Options, ConnectArgsError> {
        let mut options = Options::default();
        for header in &self.headers {
            options = options.header(header)?;
        }
        if let Some(token) = self.token(variable)? {
            options = options.token(&token)?;
        }
        if let Some(path) = &self.ca {
            let trust = Trust::only(read("--ca", path)?.as_bytes())
                .map_err(|error| ConnectArgsError::Ca { path: path.clone(), error })?;
            options = options.trust(trust);
        }
        Ok(options)
    }

    fn token(
        &self,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<String>, ConnectArgsError> {
        let from_file = |what, path: &Path| {
            let empty = || ConnectArgsError::EmptyToken(format!("{what} {}", path.display()));
            let token = read(what, path)?.trim().to_owned();
            if token.is_empty() { Err(empty()) } else { Ok(Some(token)) }
        };
        if let Some(path) = &self.token_file {
            return from_file("--token-file", path);
        }
        if let Some(token) = variable(TOKEN) {
            let token = token.trim().to_owned();
            let empty = || ConnectArgsError::EmptyToken(TOKEN.to_owned());
            return if token.is_empty() { Err(empty()) } else { Ok(Some(token)) };
        }
        match variable(TOKEN_FILE) {
            Some(path) => from_file(TOKEN_FILE, Path::new(&path)),
            None => Ok(None),
        }
    }
}

fn read(what: &'static str, path: &Path) -> Result<String, ConnectArgsError> {
    let file = |error| ConnectArgsError::File { what, path: path.to_owned(), error };
    std::fs::read_to_string(path).map_err(file)
}

fn header(text: &str) -> Result<String, HeaderError> {
    parse_header(text).map(|_parsed| text.to_owned())
}

const TOKEN: &str = "TAILCAST_TOKEN";
const TOKEN_FILE: &str = "TAILCAST_TOKEN_FILE";
