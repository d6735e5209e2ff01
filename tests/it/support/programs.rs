//! Programs of the system that a fixture needs, and that may be refused.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// Runs a program; an error says why it did not succeed.
pub(super) fn run(program: &str, arguments: &[&str]) -> Result<(), String> {
    // Some of them are where only root looks.
    let in_sbin = Path::new("/usr/sbin").join(program);
    let path = if fs::exists(&in_sbin).unwrap_or(false) { in_sbin } else { program.into() };
    let done = Command::new(path).args(arguments).output();
    match done {
        Ok(Output { status, .. }) if status.success() => Ok(()),
        Ok(Output { stderr, .. }) => {
            Err(format!("{program}: {}", String::from_utf8_lossy(&stderr).trim()))
        }
        Err(error) => Err(format!("{program}: {error}")),
    }
}
