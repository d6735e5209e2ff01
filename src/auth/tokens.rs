//! Tokens: long random words for programs, each with what it may read. Only their hashes are
//! stored; as 256 random bits cannot be guessed, a fast hash is enough.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::auth::store::{self, StoreError};

/// One token, as it stands in the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// Names the token in lists, logs and `revoke`; not secret.
    pub id: String,
    /// Its name in rules.
    #[serde(default)]
    pub name: String,
    /// The SHA-256 of its secret part, in hexadecimal digits.
    pub hash: String,
    /// Globs of the sources that it may read.
    #[serde(default)]
    pub sources: Vec<String>,
    /// Whether it may read `/metrics`.
    #[serde(default)]
    pub metrics: bool,
    /// When it was made.
    pub created: Timestamp,
    /// When it expires.
    #[serde(default)]
    pub expires: Option<Timestamp>,
}

/// Why no token was created.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The system provides no random bytes.
    #[error("the system gives no random bytes: {0}")]
    Random(String),
    /// The file.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The properties of a new token.
#[derive(Clone, Debug, Default)]
pub struct NewToken {
    /// Its name in rules; may be empty.
    pub name: String,
    /// Globs of the sources that it may read.
    pub sources: Vec<String>,
    /// Whether it may read `/metrics`.
    pub metrics: bool,
    /// When it expires.
    pub expires: Option<Timestamp>,
}

/// Makes a token. Its text is returned once and stored nowhere.
pub fn create(path: &Path, new_token: NewToken) -> Result<(Token, String), TokenError> {
    let mut random = [0; ID_BYTES + SECRET_BYTES];
    getrandom::fill(&mut random).map_err(|error| TokenError::Random(error.to_string()))?;
    let (id, secret) = random.split_at(ID_BYTES);
    let (id, secret) = (hex(id), URL_SAFE_NO_PAD.encode(secret));
    let NewToken { name, sources, metrics, expires } = new_token;
    let (hash, created) = (hash_of(&secret), Timestamp::now());
    let token = Token { id, name, hash, sources, metrics, created, expires };
    store::change(path, |tokens: &mut Vec<Token>| tokens.push(token.clone()))?;
    let text = format!("{PREFIX}{}_{secret}", token.id);
    Ok((token, text))
}

/// Removes tokens, by id or name; returns how many.
pub fn revoke(path: &Path, id_or_name: &str) -> Result<usize, StoreError> {
    store::change(path, |tokens: &mut Vec<Token>| {
        let n_tokens = tokens.len();
        tokens.retain(|token| token.id != id_or_name && token.name != id_or_name);
        n_tokens - tokens.len()
    })
}

/// All tokens, in the order in which they were made.
pub fn list(path: &Path) -> Result<Vec<Token>, StoreError> {
    store::read(path)
}

/// The id in a token's text, if it has the form of a token.
#[must_use]
pub fn id_of(text: &str) -> Option<&str> {
    text.strip_prefix(PREFIX)?.split_once('_').map(|(id, _)| id).filter(|id| !id.is_empty())
}

impl Token {
    /// Whether `text` is this token, compared in constant time.
    #[must_use]
    pub fn is_text(&self, text: &str) -> bool {
        let secret = text.strip_prefix(PREFIX).and_then(|rest| rest.split_once('_'));
        let Some((id, secret)) = secret else { return false };
        let is_id = id.as_bytes().ct_eq(self.id.as_bytes());
        let is_secret = hash_of(secret).as_bytes().ct_eq(self.hash.as_bytes());
        (is_id & is_secret).into()
    }

    /// Whether it has expired.
    #[must_use]
    pub fn has_expired(&self) -> bool {
        self.expires.is_some_and(|expires| expires <= Timestamp::now())
    }
}

fn hash_of(secret: &str) -> String {
    hex(&Sha256::digest(secret.as_bytes()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        text.push_str(&format!("{byte:02x}"));
        text
    })
}

const PREFIX: &str = "tc_";
const ID_BYTES: usize = 6;
const SECRET_BYTES: usize = 32;
