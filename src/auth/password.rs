//! Password: hashes that are slow on purpose (argon2id), and the comparison with one.

use std::sync::{LazyLock, Mutex, PoisonError};

use argon2::password_hash::PasswordHasher as _;
use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Block, Params, Version};
use subtle::ConstantTimeEq as _;

/// The hash of a password as a PHC string, with a salt of its own.
pub fn hash(password: &str) -> Result<String, argon2::password_hash::Error> {
    Argon2::default().hash_password(password.as_bytes()).map(|hash: PasswordHash| hash.to_string())
}

/// Whether the password is the one that was hashed; takes about as long where there is no hash, so
/// that the time does not reveal which names exist. Blocks for some 20 ms and works in 19 MiB.
#[must_use]
pub fn is_password(password: &str, hash: Option<&str>) -> bool {
    let compared = hash.or(DUMMY.as_deref()).and_then(|hash| compare(password, hash));
    compared == Some(true) && hash.is_some()
}

/// `None` if the hash is not one of ours.
fn compare(password: &str, hash: &str) -> Option<bool> {
    let hash = PasswordHash::new(hash).ok()?;
    let params = Params::try_from(&hash).ok()?;
    let version = Version::try_from(hash.version?).ok()?;
    let algorithm = Algorithm::new(hash.algorithm.as_str()).ok()?;
    let (salt, expected) = (hash.salt?, hash.hash?);
    let mut memory = take_memory(params.block_count());
    let mut found = vec![0; expected.len()];
    let hasher = Argon2::new(algorithm, version, params);
    let done = hasher.hash_password_into_with_memory(
        password.as_bytes(),
        &salt,
        &mut found,
        memory.as_mut_slice(),
    );
    give_back(memory);
    done.ok()?;
    Some(found.as_slice().ct_eq(expected.as_bytes()).into())
}

/// Kept between checks: the allocator would keep as much for every thread that ever ran one.
static MEMORY: Mutex<Vec<Vec<Block>>> = Mutex::new(Vec::new());

fn take_memory(n_blocks: usize) -> Vec<Block> {
    let kept = MEMORY.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let mut memory = kept.unwrap_or_default();
    memory.resize(n_blocks, Block::default());
    memory
}

fn give_back(memory: Vec<Block>) {
    let mut kept = MEMORY.lock().unwrap_or_else(PoisonError::into_inner);
    if kept.len() < super::MAX_CHECKS {
        kept.push(memory);
    }
}

/// The hash to compare with for an unknown name.
static DUMMY: LazyLock<Option<String>> = LazyLock::new(|| hash("nobody has this name").ok());
