//! Users: names with the hash of a password, and groups. A password is never kept.

use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::auth::password;
use crate::auth::store::{self, StoreError};

/// One user, as it stands in the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// The user's name.
    pub name: String,
    /// The password's hash, argon2id, as a PHC string.
    pub hash: Arc<str>,
    /// The groups whose rights the user has.
    #[serde(default)]
    pub groups: Vec<String>,
}

/// Why a user was not added.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// The name is not valid.
    #[error(
        "`{0}` cannot be a user's name; expected 1 to {MAX_NAME_CHARS} of the letters a to z, \
         A to Z, digits, and . _ - + @"
    )]
    Name(String),
    /// The password is not acceptable.
    #[error("a password of {0} bytes; expected {MIN_PASSWORD_BYTES} to {MAX_PASSWORD_BYTES}")]
    Password(usize),
    /// Hashing failed.
    #[error("the password cannot be hashed: {0}")]
    Hash(String),
    /// The file.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Adds a user, or gives one another password and other groups. Returns whether the user is new.
pub fn add(
    path: &Path,
    name: &str,
    groups: Vec<String>,
    password: &str,
) -> Result<bool, UserError> {
    if !is_name(name) {
        return Err(UserError::Name(name.to_owned()));
    }
    if !(MIN_PASSWORD_BYTES..=MAX_PASSWORD_BYTES).contains(&password.len()) {
        return Err(UserError::Password(password.len()));
    }
    let hash = password::hash(password).map_err(|error| UserError::Hash(error.to_string()))?;
    let is_new = store::change(path, |users: &mut Vec<User>| {
        let n_users = users.len();
        users.retain(|user| user.name != name);
        let is_new = users.len() == n_users;
        users.push(User { name: name.to_owned(), hash: hash.into(), groups });
        users.sort_by(|a, b| a.name.cmp(&b.name));
        is_new
    })?;
    Ok(is_new)
}

/// Removes a user; false if there is none of this name.
pub fn remove(path: &Path, name: &str) -> Result<bool, StoreError> {
    store::change(path, |users: &mut Vec<User>| {
        let n_users = users.len();
        users.retain(|user| user.name != name);
        users.len() < n_users
    })
}

/// All users, by name.
pub fn list(path: &Path) -> Result<Vec<User>, StoreError> {
    store::read(path)
}

/// Plain letters only: no two names look alike, and none has a meaning to a header or a log.
fn is_name(name: &str) -> bool {
    let is_plain = |char: char| char.is_ascii_alphanumeric() || "._-+@".contains(char);
    (1..=MAX_NAME_CHARS).contains(&name.len()) && name.chars().all(is_plain)
}

const MAX_NAME_CHARS: usize = 64;
const MIN_PASSWORD_BYTES: usize = 8;

/// The longest password that is hashed.
pub const MAX_PASSWORD_BYTES: usize = 1024;
